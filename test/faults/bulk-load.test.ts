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
    const requests = [0, 1, 2, 3].map((request) => trunk(request))
    assert(requests.every(({ body }) => body.length > limits.bulkBodyBytesMax - 1000))
    await probe.packet('probe', packet(0))

    const state = { isDone: false }
    const latencies: number[] = []
    const probing = (async () => {
      for (let sequence = 1; !state.isDone; sequence++) {
        const startedAt = performance.now()
        const { body } = await probe.packet('probe', packet(sequence))
        latencies.push(performance.now() - startedAt)
        assert.equal(body['status'], 'accepted')
      }
    })()
    const answers = await Promise.all(requests.map(({ body }) => bulk.bulk(body)))
    state.isDone = true
    await probing

    for (const [index, { status, body }] of answers.entries()) {
      assert.equal(status, 202)
      assert.equal(body['accepted'], requests[index]?.lines)
    }
    const slowest = Math.max(...latencies)
    t.diagnostic(`${latencies.length} probes, the slowest took ${slowest.toFixed(1)} ms`)
    assert(latencies.length >= 10, `${latencies.length} probes while four requests were worked off`)
    assert(slowest < 500, `a packet took ${slowest} ms`)
  })
})
