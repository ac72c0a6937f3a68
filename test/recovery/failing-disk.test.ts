/**
 * Disks that answer with errors. Guards against going on after an fsync error, whose data may be gone; against an actor
 * that keeps what a failed commit did not store (V6); and against an analysis that ends because a write failed.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { eventually, get, packet, post } from '../support/service.js'
import { runFailingCheckpoint, runFailingSyncs, runFailingWrites } from '../torture/disk-faults.js'
import { smoke } from '../torture/smoke.js'
import { Stage } from '../torture/stage.js'
import { Strace, straceUnavailable } from '../torture/strace.js'

const skip = straceUnavailable() ?? false

describe('a disk that answers with errors', { skip }, () => {
  test(
    'after an fsync error nothing is acknowledged, the process ends, and a restart has it all',
    smoke((stage, seed) => runFailingSyncs(stage, { seed, rounds: 2 })),
  )

  test(
    'a packet that could not be written is answered 503, and stored once when it is sent again',
    smoke((stage, seed) => runFailingWrites(stage, { seed, rounds: 1 })),
  )

  test(
    'a checkpoint that fails refuses nothing and does not end the process',
    smoke((stage, seed) => runFailingCheckpoint(stage, { seed })),
  )

  test('a write error during an analysis costs the call neither its outcome nor its attempts', async (t) => {
    const stage = Stage.of(t)
    const settings = {
      GRACE_PERIOD_MS: 100,
      AI_SIMULATED_LATENCY_MIN_MS: 50,
      AI_SIMULATED_LATENCY_MAX_MS: 400,
      AI_BACKOFF_BASE_MS: 50,
    }
    const service = await stage.service({ dataDir: stage.folder(), settings })
    const calls = Array.from({ length: 40 }, (_, i) => `c${i}`)
    for (const call of calls) await post(service, `/v1/call/stream/${call}`, packet(0))
    const fault = { calls: 'pwrite64', fault: 'error=ENOSPC:when=20+23' }
    const strace = await Strace.attach(stage, service.child.pid as number, fault)
    const complete = async (call: string) => {
      const answer = await post(service, `/v1/call/complete/${call}`, { total_packets: 1 })
      return answer.status
    }
    for (const call of calls) {
      const status = await eventually(
        () => complete(call),
        (answered) => answered !== 503,
      )
      assert.equal(status, 202)
    }
    await eventually(
      async () => strace.injected().length,
      (count) => count >= 5,
    )
    await strace.detach()
    for (const call of calls) {
      const { body } = await eventually(
        () => get(service, `/v1/call/${call}`),
        (view) => view.body['state'] === 'ARCHIVED' || view.body['state'] === 'FAILED',
      )
      // The provider never failed: no call may fail, and none may have had an attempt too many.
      assert.equal(body['state'], 'ARCHIVED', `${call}: ${JSON.stringify(body['ai'])}`)
    }
  })
})
