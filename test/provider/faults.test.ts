/** A short run of each way in which an AI server fails; `npm run torture -- --only provider` has all of them. */
import { describe, test } from 'node:test'
import { runBadCertificate } from '../torture/provider-certificate.js'
import { runProviderFaults } from '../torture/provider-faults.js'
import { runLongCall } from '../torture/provider-memory.js'
import { smoke } from '../torture/smoke.js'

describe('an AI server that fails (P15)', () => {
  for (const modes of [
    ['headers-then-hang', 'reset-within-body'],
    ['429-for-years', 'redirect', 'success-after-4'],
    ['wrong-shape', 'gzip-bomb'],
  ])
    test(
      `with ${modes.join(', ')}: every call ends as it must, and nothing is left open`,
      smoke((stage) => runProviderFaults(stage, { callsPerMode: 2, modes })),
    )

  test(
    'to prove who it is is sent nothing',
    smoke((stage) => runBadCertificate(stage, { calls: 1 })),
  )
})

test(
  'a call of half an hour is analysed in 100 MiB more memory',
  smoke((stage) => runLongCall(stage, { hours: 0.5, growthMebibytesMax: 100 })),
)
