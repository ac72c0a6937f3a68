import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HttpClient } from '../support/http-client.js'
import { readMetric } from '../support/metrics.js'
import { eventually, packet } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)

describe('requests that come at the same moment', () => {
  const service = suiteService()

  // Guards against A1: of two first packets one was thrown away and called a duplicate, in 90 of 100 rounds.
  test('64 first packets of a new call are all stored, in each of 100 rounds', async (t) => {
    const client = new HttpClient(t, service(), 64)
    let accepted = 0
    for (let round = 0; round < 100; round++) {
      const callId = `first-${round}`
      const answers = await Promise.all(
        numbers(64).map((sequence) => client.packet(callId, packet(sequence))),
      )
      accepted += answers.filter(({ status, body }) => status === 202 && body['status'] === 'accepted').length
      // Each was counted in a turn of its own: the totals are 1 … 64, each once.
      const totals = answers.map(({ body }) => body['total_received'] as number).sort((a, b) => a - b)
      assert.deepEqual(
        totals,
        numbers(64).map((n) => n + 1),
        `round ${round}`,
      )
    }
    assert.equal(accepted, 6400)
    let stored = 0
    for (let round = 0; round < 100; round++) {
      const { body } = await client.get(`/v1/call/first-${round}/packets`)
      const packets = body['packets'] as { sequence: number; data: string }[]
      assert.deepEqual(
        packets.map(({ sequence, data }) => [sequence, data]),
        numbers(64).map((sequence) => [sequence, `packet ${sequence}`]),
      )
      stored += packets.length
    }
    assert.equal(stored, 6400)
  })

  test('a packet that comes 100 times at once is accepted once', async (t) => {
    const client = new HttpClient(t, service(), 100)
    for (const [callId, sequences] of [
      ['new-call', []],
      ['known-call', [0, 1, 2]],
    ] as const) {
      for (const sequence of sequences) await client.packet(callId, packet(sequence))
      const answers = await Promise.all(numbers(100).map(() => client.packet(callId, packet(7))))
      const statuses = answers.map(({ body }) => body['status'])
      assert.equal(statuses.filter((status) => status === 'accepted').length, 1)
      assert.equal(statuses.filter((status) => status === 'duplicate').length, 99)
      for (const { status, body } of answers) {
        assert.equal(status, 202)
        assert.equal(body['total_received'], sequences.length + 1)
        assert.equal(body['duplicate'], body['status'] === 'duplicate')
      }
      const { body } = await client.call(callId)
      assert.equal(body['duplicate_count'], 99)
      const stored = await client.get(`/v1/call/${callId}/packets`)
      assert.equal((stored.body['packets'] as unknown[]).length, sequences.length + 1)
    }
  })

  // Guards against A6, in the worst moment for it: nobody knows yet which content is the first.
  test('of 100 contents for one sequence the one that was accepted is stored, and 99 are counted', async (t) => {
    const client = new HttpClient(t, service(), 100)
    const looks = () =>
      Promise.all(
        ['duplicate_mismatches', 'duplicates_unchecked'].map((name) =>
          readMetric(service(), `voicestream_${name}_total`),
        ),
      ).then(([differing = 0, unchecked = 0]) => differing + unchecked)
    const before = await looks()
    const answers = await Promise.all(
      numbers(100).map((n) => client.packet('contents', packet(0, `content ${n}`))),
    )
    const accepted = numbers(100).filter((n) => answers[n]?.body['status'] === 'accepted')
    assert.equal(accepted.length, 1)
    const { body } = await client.get('/v1/call/contents/packets')
    assert.deepEqual(
      (body['packets'] as { data: string }[]).map(({ data }) => data),
      [`content ${accepted[0]}`],
    )
    await eventually(looks, (count) => count === before + 99)
  })

  // Guards against the row "packet right after the 202 of the completion": one rule, whoever comes first.
  test('a packet beside the completion is accepted, because the grace period takes it either way', async (t) => {
    const client = new HttpClient(t, service())
    for (let round = 0; round < 50; round++) {
      const callId = `beside-${round}`
      await client.packet(callId, packet(0))
      const both = [() => client.packet(callId, packet(1)), () => client.complete(callId, 2)]
      const answers = await Promise.all((round % 2 === 0 ? both : both.reverse()).map((send) => send()))
      assert.deepEqual(
        answers.map(({ body }) => body['status']),
        ['accepted', 'accepted'],
      )
      const { body } = await client.call(callId)
      assert.equal(body['total_received'], 2)
      assert.equal(body['missing_count'], 0)
    }
  })
})
