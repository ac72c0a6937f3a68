import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HttpClient } from '../support/http-client.js'
import { eventually, packet } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'
import { assertContiguous, type Received, SupervisorClient } from '../support/supervisor-client.js'

/** What an event says, without what differs from run to run. */
function essence({ arrivedAt: _, position: _position, at: _at, call_id: _id, ...rest }: Received): unknown {
  return rest
}

const changes = (events: readonly Received[]) =>
  events.flatMap((event) =>
    event.event === 'state_changed' ? [`${event.from_state} → ${event.to_state}`] : [],
  )

describe('a supervisor', () => {
  const service = suiteService({ settings: { GRACE_PERIOD_MS: 300 } })

  test('sees the whole life of a call, in its order', async (t) => {
    const client = new HttpClient(t, service())
    const supervisor = await SupervisorClient.connect(t, service())
    for (const sequence of [0, 3, 0]) await client.packet('life', packet(sequence))
    await client.complete('life', 5)
    await client.packet('life', packet(1))
    await supervisor.until(() => changes(supervisor.of('life')).length === 3)
    await client.packet('life', packet(4))
    await client.packet('life', packet(3))
    await supervisor.until(() => supervisor.of('life').length === 10)

    const events = supervisor.of('life')
    const account = (sequence: number, total_received: number, missing_sequences: number[]) => ({
      sequence,
      total_received,
      missing_sequences,
      missing_count: missing_sequences.length,
    })
    const analysed = events[7] as Extract<Received, { event: 'ai_completed' }>
    assert.deepEqual(events.map(essence), [
      { event: 'packet_received', ...account(0, 1, []) },
      { event: 'packet_received', ...account(3, 2, [1, 2]) },
      { event: 'packet_duplicate', ...account(0, 2, [1, 2]) },
      { event: 'state_changed', from_state: 'IN_PROGRESS', to_state: 'COMPLETED', reason: 'completed' },
      { event: 'packet_received', ...account(1, 3, [2, 4]) },
      {
        event: 'state_changed',
        from_state: 'COMPLETED',
        to_state: 'PROCESSING_AI',
        reason: 'grace_period_over',
      },
      { event: 'state_changed', from_state: 'PROCESSING_AI', to_state: 'ARCHIVED', reason: 'analysed' },
      {
        event: 'ai_completed',
        transcription: 'Simulated transcription of 3 packets, 24 bytes of data, 2 missing.',
        sentiment: analysed.sentiment,
        confidence: analysed.confidence,
      },
      { event: 'packet_rejected', ...account(4, 3, [2, 4]), reason: 'grace_period_over', state: 'ARCHIVED' },
      { event: 'packet_duplicate', ...account(3, 3, [2, 4]) },
    ])
    assertContiguous(events)
    const times = events.map(({ at }) => at)
    assert.deepEqual(times, [...times].sort())
    for (const at of times) assert.match(at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    const { body } = await client.call('life')
    assert.equal((body['ai'] as Record<string, unknown>)['transcription'], analysed.transcription)
  })

  test('sees the same as another one who came at the same time', async (t) => {
    const client = new HttpClient(t, service())
    const both = await Promise.all([0, 1].map(() => SupervisorClient.connect(t, service())))
    await Promise.all(Array.from({ length: 100 }, (_, n) => client.packet(`both-${n % 5}`, packet(n))))
    const positions = await Promise.all(
      both.map(async (supervisor) => {
        await supervisor.until(() => supervisor.events.length === 100)
        return supervisor.events.map(({ position }) => position)
      }),
    )
    assert.deepEqual(positions[0], positions[1])
  })

  // Commits hold packets of many calls; what is told in another order than it was committed would show here.
  test('sees every packet once, in commit order, however many calls there are', async (t) => {
    const client = new HttpClient(t, service(), 32)
    const supervisor = await SupervisorClient.connect(t, service())
    const [calls, each] = [16, 60]
    const totals = new Map<string, number>()
    await Promise.all(
      Array.from({ length: calls }, async (_, call) => {
        // Four at once in each call, and one of them twice.
        for (let first = 0; first < each; first += 4) {
          const sequences = [first, first + 1, first + 2, first + 3, first]
          const answers = await Promise.all(sequences.map((n) => client.packet(`busy-${call}`, packet(n))))
          for (const { body } of answers)
            if (body['status'] === 'accepted')
              totals.set(`${call} ${body['sequence']}`, body['total_received'] as number)
        }
      }),
    )
    assert.equal(totals.size, calls * each)
    await supervisor.until(() => supervisor.events.length === (calls * each * 5) / 4)
    assertContiguous(supervisor.events)
    const duplicates = supervisor.events.filter(({ event }) => event === 'packet_duplicate')
    assert.equal(duplicates.length, (calls * each) / 4)
    for (let call = 0; call < calls; call++) {
      const stored = new Set<number>()
      for (const event of supervisor.of(`busy-${call}`)) {
        if (event.event === 'packet_duplicate')
          assert(stored.has(event.sequence), 'a duplicate comes after its original')
        if (event.event !== 'packet_received') continue
        stored.add(event.sequence)
        // The account is the one of its receipt, and each packet of the call adds one.
        assert.equal(event.total_received, totals.get(`${call} ${event.sequence}`))
        assert.equal(event.total_received, stored.size)
      }
      assert.equal(stored.size, each)
    }
  })

  test('sees what was answered earlier before what was sent later, whichever the calls', async (t) => {
    const client = new HttpClient(t, service())
    const supervisor = await SupervisorClient.connect(t, service())
    const sent: string[] = []
    for (let i = 0; i < 60; i++) {
      const callId = `in-turn-${i % 7}`
      await client.packet(callId, packet(i))
      sent.push(`${callId} ${i}`)
    }
    await supervisor.until(() => supervisor.events.length === 60)
    const seen = supervisor.events.map(
      (event) => `${event.call_id} ${'sequence' in event ? event.sequence : ''}`,
    )
    assert.deepEqual(seen, sent)
  })

  // Guards against E: a binary frame took the client from the list and left its socket open.
  test('may send text, bytes and pings, and goes on receiving', async (t) => {
    const client = new HttpClient(t, service())
    const supervisor = await SupervisorClient.connect(t, service())
    const before = (await client.get('/v1/calls')).text
    await client.packet('frames', packet(0))
    await supervisor.until(() => supervisor.events.length === 1)
    const { socket } = supervisor
    socket.send('hello')
    socket.send('{"event":"packet_received","call_id":"forged","sequence":0}')
    socket.send(Buffer.from([1]))
    socket.send(Buffer.alloc(0))
    socket.send('x'.repeat(4096))
    const ponged = new Promise((resolve) => socket.once('pong', resolve))
    socket.ping('there?')
    assert.equal(String(await ponged), 'there?', 'all of it has been read')
    await client.packet('frames', packet(1))
    await supervisor.until(() => supervisor.events.length === 2)
    assert.equal(supervisor.of('frames').length, 2)
    assert.equal((await client.call('forged')).status, 404)
    assert.notEqual((await client.get('/v1/calls')).text, before)
  })
})

interface AttemptFailure {
  readonly at: string
  readonly attempt: number
  readonly error: string
  readonly next_attempt_at: string
  readonly wait_ms: number
}

describe('a supervisor of a call whose analysis fails', () => {
  const service = suiteService({
    settings: {
      GRACE_PERIOD_MS: 0,
      AI_SIMULATED_FAILURE_RATE: 1,
      AI_MAX_ATTEMPTS: 2,
      AI_BACKOFF_BASE_MS: 20,
      AI_BREAKER_FAILURES: 0,
    },
  })

  test('is told of the end and of the reason', async (t) => {
    const client = new HttpClient(t, service())
    const supervisor = await SupervisorClient.connect(t, service())
    await client.packet('failing', packet(0))
    await client.complete('failing', 1)
    await supervisor.until(() => supervisor.of('failing').some(({ event }) => event === 'ai_failed'))
    assert.deepEqual(changes(supervisor.of('failing')), [
      'IN_PROGRESS → COMPLETED',
      'COMPLETED → PROCESSING_AI',
      'PROCESSING_AI → FAILED',
    ])
    const failures = supervisor.of('failing').filter(({ event }) => event === 'ai_attempt_failed')
    assert.equal(failures.length, 1, 'the last attempt has no next one')
    const { at, ...failure } = failures[0] as unknown as AttemptFailure
    assert.deepEqual([failure.attempt, failure.wait_ms], [1, 20])
    assert.match(failure.error, /503/)
    assert.equal(Date.parse(failure.next_attempt_at), Date.parse(at) + 20)
    const last = supervisor.of('failing').at(-1)
    const { body } = await client.call('failing')
    assert.equal(body['state'], 'FAILED')
    const ai = body['ai'] as { attempts: number; error: string }
    assert.equal(ai.attempts, 2)
    assert(ai.error.length > 0)
    assert.deepEqual(last && essence(last), { event: 'ai_failed', reason: ai.error })
  })
})

describe('a supervisor of a call that nobody completes', () => {
  const service = suiteService({ settings: { CALL_IDLE_TIMEOUT_MS: 1000, GRACE_PERIOD_MS: 0 } })

  test('is told that the idle timeout did', async (t) => {
    const client = new HttpClient(t, service())
    const supervisor = await SupervisorClient.connect(t, service())
    await client.packet('idle', packet(0))
    await supervisor.until(() => supervisor.of('idle').some(({ event }) => event === 'state_changed'))
    const [, change] = supervisor.of('idle')
    assert.deepEqual(change && essence(change), {
      event: 'state_changed',
      from_state: 'IN_PROGRESS',
      to_state: 'COMPLETED',
      reason: 'idle_timeout',
    })
    await eventually(
      () => client.call('idle'),
      ({ body }) => body['state'] === 'ARCHIVED',
    )
  })
})
