/**
 * A 202 waits for its fsync: with every fsync delayed, nothing that depends on one is told earlier. Guards against an
 * answer before the commit, a duplicate's answer before its original is durable (V4), and a view or an event that
 * shows what a crash could still take back (V3).
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { get, packet, post, type Service } from '../support/service.js'
import { runSlowSyncs } from '../torture/slow-syncs.js'
import { smoke } from '../torture/smoke.js'
import { epochMs, Stage, sleep } from '../torture/stage.js'
import { Strace, straceUnavailable, syncCalls } from '../torture/strace.js'
import { Supervisor } from '../torture/supervisor.js'

const delayMs = 300
const skip = straceUnavailable() ?? false

async function slowService(stage: Stage): Promise<{ service: Service; strace: Strace }> {
  const service = await stage.service({ dataDir: stage.folder() })
  await post(service, '/v1/call/stream/c1', packet(0))
  const fault = { calls: syncCalls, fault: `delay_enter=${delayMs * 1000}` }
  return { service, strace: await Strace.attach(stage, service.child.pid as number, fault) }
}

async function timed<T>(work: Promise<T>): Promise<{ answer: T; doneAt: number }> {
  const answer = await work
  return { answer, doneAt: epochMs() }
}

describe('with every fsync delayed by 300 ms', { skip, concurrency: 2 }, () => {
  test(
    'no 202 comes earlier than its fsync, and no duplicate’s before that of its original',
    smoke((stage, seed) =>
      runSlowSyncs(stage, { seed, delayMs, loadMs: 3000, delayed: 'all', floodPackets: 600 }),
    ),
  )

  test('neither a view nor a page nor an event shows a packet before its fsync', async (t) => {
    const stage = Stage.of(t)
    const { service, strace } = await slowService(stage)
    const supervisor = new Supervisor(stage)
    await supervisor.connect(service.port)
    for (let sequence = 1; sequence <= 4; sequence++) {
      const sentAt = epochMs()
      const original = timed(post(service, '/v1/call/stream/c1', packet(sequence)))
      await sleep(40)
      const looks = [
        timed(get(service, '/v1/call/c1').then(({ body }) => body['total_received'])),
        timed(get(service, '/v1/calls').then(({ body }) => (body['calls'] as Total[])[0]?.total_received)),
        timed(get(service, '/v1/call/c1/packets').then(({ body }) => (body['packets'] as unknown[]).length)),
      ]
      for (const look of looks) {
        const { answer, doneAt } = await look
        const isEarly = doneAt < sentAt + delayMs
        assert(!isEarly || answer === sequence, `${answer} packets shown after ${doneAt - sentAt} ms`)
      }
      assert((await original).doneAt >= sentAt + delayMs)
      const event = supervisor.events.find((told) => told.sequence === sequence)
      assert(event === undefined || event.toldAt >= sentAt + delayMs, 'an event came before the fsync')
    }
    assert(supervisor.events.length > 0, 'events were told')
    assert(strace.injected().length >= 4, 'fsyncs were delayed')
  })

  test('a completion is acknowledged only once it is on disk', async (t) => {
    const stage = Stage.of(t)
    const { service, strace } = await slowService(stage)
    const sentAt = epochMs()
    const complete = () => timed(post(service, '/v1/call/complete/c1', { total_packets: 1 }))
    const first = complete()
    await sleep(40)
    const repeated = complete()
    for (const { answer, doneAt } of await Promise.all([first, repeated])) {
      assert.equal(answer.status, 202)
      assert(doneAt >= sentAt + delayMs, `acknowledged after ${doneAt - sentAt} ms`)
    }
    assert(strace.injected().length > 0, 'fsyncs were delayed')
  })
})

interface Total {
  readonly total_received: number
}
