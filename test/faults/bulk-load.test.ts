import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { limits } from '../../src/limits.js'
import { HttpClient } from '../support/http-client.js'
import { bestRound } from '../support/rounds.js'
import { packet, startService } from '../support/service.js'

/** As many lines of many calls as fit the bound. */
function trunk(request: number): { body: string; lines: number } {
  const parts: string[] = []
  let bytes = 0
  for (let i = 0; ; i++) {
    const line = `${JSON.stringify({ call_id: `bulk-${i % 300}`, ...packet(request * 100_000 + Math.floor(i / 300), 'd'.repeat(120)) })}\n`
    if (bytes + line.length > limits.bulkBodyBytesMax) return { body: parts.join(''), lines: i }
    parts.push(line)
    bytes += line.length
  }
}

describe('bulk requests of 4 MiB', () => {
  // Guards against a request that holds the loop: everybody else's packets would wait for all of its lines.
  test('do not delay the packets of others', async (t) => {
    // A fresh service each, because a held loop shows best where nothing is compiled yet.
    const round = async (): Promise<string | null> => {
      const service = await startService(t)
      const bulk = new HttpClient(t, service, 2)
      const probe = new HttpClient(t, service, 1)
      const look = new HttpClient(t, service, 1)
      let sequence = 0
      const requests = [0, 1, 2, 3].map((request) => trunk(request))
      assert(requests.every(({ body }) => body.length > limits.bulkBodyBytesMax - 1000))
      const state = { isDone: false }
      const repeat = async (latencies: number[], ask: () => Promise<boolean>): Promise<number[]> => {
        while (!state.isDone) {
          const startedAt = performance.now()
          assert(await ask())
          latencies.push(performance.now() - startedAt)
        }
        return latencies
      }
      const probing = Promise.all([
        repeat(
          [],
          async () => (await probe.packet('probe', packet(sequence++))).body['status'] === 'accepted',
        ),
        repeat([], async () => (await look.get('/health/live')).status === 200),
      ])
      const startedAt = performance.now()
      const answers = await Promise.all(requests.map(({ body }) => bulk.bulk(body)))
      const tookMs = performance.now() - startedAt
      state.isDone = true
      const [packets, looks] = await probing

      for (const [request, { status, body }] of answers.entries()) {
        assert.equal(status, 202)
        assert.equal(body['accepted'], requests[request]?.lines)
      }
      const slowestPacket = Math.max(...packets)
      const slowestLook = Math.max(...looks)
      t.diagnostic(`${tookMs.toFixed(0)} ms for four requests`)
      t.diagnostic(`${packets.length} packets, the slowest took ${slowestPacket.toFixed(1)} ms`)
      t.diagnostic(`${looks.length} looks, the slowest took ${slowestLook.toFixed(1)} ms`)
      // In proportion to the whole, because machines differ: a request that held the loop would take a quarter of it.
      if (packets.length < 10 || looks.length < 50)
        return 'too few got through while four requests were worked off'
      if (slowestPacket >= Math.max(250, tookMs / 2)) return `a packet took ${slowestPacket} ms`
      return slowestLook < Math.max(100, tookMs / 6) ? null : `a look took ${slowestLook} ms`
    }
    assert.equal(await bestRound(t, round), null)
  })
})
