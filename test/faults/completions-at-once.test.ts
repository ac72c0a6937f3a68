import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HttpClient } from '../support/http-client.js'
import { readMetric } from '../support/metrics.js'
import { bestRound } from '../support/rounds.js'
import { eventually, packet } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'

const calls = 200

// Guards against B2 and C1: calls that waited for the AI held what packets need. Of 200 calls completed at once 8
// never went on, and a packet of another call took 17 s.
describe('200 calls that are completed at once', () => {
  const service = suiteService({
    settings: {
      GRACE_PERIOD_MS: 300,
      // Longer than all attempts at a time can get through at once: most calls wait for theirs.
      AI_SIMULATED_LATENCY_MIN_MS: 300,
      AI_SIMULATED_LATENCY_MAX_MS: 400,
      AI_SIMULATED_FAILURE_RATE: 0.2,
      AI_BACKOFF_BASE_MS: 50,
      AI_CONCURRENCY: 32,
    },
  })

  test('slow down no packet of another call, and all of them end', async (t) => {
    const client = new HttpClient(t, service(), 32)
    const probe = new HttpClient(t, service(), 1)
    const count = (state: string) => readMetric(service(), `voicestream_calls{state="${state}"}`)
    let sequence = 0

    const round = async (index: number): Promise<string | null> => {
      const ids = Array.from({ length: calls }, (_, i) => `ending-${index}-${i}`)
      await Promise.all(ids.map((id) => client.packet(id, packet(0))))
      const state = { ended: false }
      const latencies: number[] = []
      const probing = (async () => {
        while (!state.ended) {
          const startedAt = performance.now()
          const { body } = await probe.packet('probe', packet(sequence++))
          latencies.push(performance.now() - startedAt)
          assert.equal(body['status'], 'accepted')
          await new Promise((resolve) => setTimeout(resolve, 5))
        }
      })()
      const answers = await Promise.all(ids.map((id) => client.complete(id, 1)))
      assert.equal(answers.filter(({ status }) => status === 202).length, calls)
      const waiting = await eventually(
        () => readMetric(service(), 'voicestream_analyses_running'),
        (running) => running > 32,
      )
      t.diagnostic(`${waiting} analyses under way, 32 attempts at a time`)
      await eventually(
        async () => (await count('ARCHIVED')) + (await count('FAILED')),
        (ended) => ended === calls * (index + 1),
      )
      state.ended = true
      await probing

      assert.equal(await readMetric(service(), 'voicestream_analyses_running'), 0)
      for (const id of ids) {
        const { body } = await client.call(id)
        assert(body['state'] === 'ARCHIVED' || body['state'] === 'FAILED', `${id} is ${body['state']}`)
      }
      const slowest = Math.max(...latencies)
      t.diagnostic(`${latencies.length} probes, the slowest took ${slowest.toFixed(1)} ms`)
      assert(latencies.length >= 40, `${latencies.length} probes`)
      return slowest < 500 ? null : `a packet took ${slowest} ms`
    }
    assert.equal(await bestRound(t, round), null)
  })
})
