import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { limits } from '../../src/limits.js'
import { HttpClient } from '../support/http-client.js'
import { packet } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'

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
  const service = suiteService()

  // Guards against a request that holds the loop: everybody else's packets would wait for all of its lines.
  test('do not delay the packets of others', async (t) => {
    const bulk = new HttpClient(t, service(), 2)
    const probe = new HttpClient(t, service(), 1)
    const look = new HttpClient(t, service(), 1)
    const requests = [0, 1, 2, 3].map((request) => trunk(request))
    assert(requests.every(({ body }) => body.length > limits.bulkBodyBytesMax - 1000))
    await probe.packet('probe', packet(0))

    const state = { isDone: false }
    const packets: number[] = []
    const looks: number[] = []
    const repeat = async (latencies: number[], ask: (n: number) => Promise<boolean>) => {
      for (let n = 1; !state.isDone; n++) {
        const startedAt = performance.now()
        assert(await ask(n))
        latencies.push(performance.now() - startedAt)
      }
    }
    const probing = Promise.all([
      repeat(packets, async (n) => (await probe.packet('probe', packet(n))).body['status'] === 'accepted'),
      repeat(looks, async () => (await look.get('/health/live')).status === 200),
    ])
    const startedAt = performance.now()
    const answers = await Promise.all(requests.map(({ body }) => bulk.bulk(body)))
    const tookMs = performance.now() - startedAt
    state.isDone = true
    await probing

    for (const [index, { status, body }] of answers.entries()) {
      assert.equal(status, 202)
      assert.equal(body['accepted'], requests[index]?.lines)
    }
    const slowestPacket = Math.max(...packets)
    const slowestLook = Math.max(...looks)
    t.diagnostic(`${tookMs.toFixed(0)} ms for four requests`)
    t.diagnostic(`${packets.length} packets, the slowest took ${slowestPacket.toFixed(1)} ms`)
    t.diagnostic(`${looks.length} looks, the slowest took ${slowestLook.toFixed(1)} ms`)
    assert(packets.length >= 10 && looks.length >= 50, 'while four requests were worked off')
    // In proportion to the whole, because machines differ: a request that held the loop would take a quarter of it.
    assert(slowestPacket < Math.max(250, tookMs / 2), `a packet took ${slowestPacket} ms`)
    assert(slowestLook < Math.max(100, tookMs / 6), `a look took ${slowestLook} ms`)
  })
})
