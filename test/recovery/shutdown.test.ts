/**
 * SIGTERM. Guards against requests that are cut off, supervisors that are not told, a stop that waits for a hanging
 * analysis, acknowledged packets that the next start does not find, and a second signal that is ignored.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually, get, packet, post } from '../support/service.js'
import { smoke } from '../torture/smoke.js'
import { Stage, sleep, within } from '../torture/stage.js'
import { runSecondSignals, runStops, sendHalfRequest } from '../torture/stops.js'
import { straceUnavailable } from '../torture/strace.js'

test(
  'SIGTERM under load answers what is in flight, closes supervisors with 1001 and loses nothing',
  smoke((stage, seed) => runStops(stage, { seed, stops: 2 })),
)

test('a second SIGTERM ends a service that is still draining at once, and nothing acknowledged is lost', async (t) => {
  const stage = Stage.of(t)
  const dataDir = stage.folder()
  const service = await stage.service({ dataDir })
  await post(service, '/v1/call/stream/c1', packet(0))
  await sendHalfRequest(stage, service.port)
  await sleep(100)
  service.kill('SIGTERM')
  await eventually(
    async () => service.log.some(({ msg }) => msg === 'draining'),
    (isDraining) => isDraining,
  )
  await sleep(300)
  assert.equal(service.child.exitCode, null, 'half a request holds the drain up')
  service.kill('SIGTERM')
  const end = await within(1000, service.exited)
  assert.notEqual(end, null, 'the second signal was ignored')
  assert.notEqual(end?.value, 0)

  const next = await stage.service({ dataDir })
  assert.equal((await get(next, '/v1/call/c1')).body['total_received'], 1)
})

test(
  'a second SIGTERM while the store closes leaves a database that the next start takes',
  { skip: straceUnavailable() ?? false },
  smoke((stage) => runSecondSignals(stage, { momentsMs: [700, 1200] })),
)
