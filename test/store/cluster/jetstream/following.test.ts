/**
 * Guards against a follower that misses a message, takes one twice, or gathers without a bound what nobody takes. The engine
 * is a small double, because a real one loses deliveries only when it dies: then `test/faults/shared-log` looks.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { limits } from '../../../../src/limits.js'
import type { EngineMessage } from '../../../../src/store/cluster/jetstream/engine.js'
import { Following, placeOf } from '../../../../src/store/cluster/jetstream/following.js'
import { FakeClock } from '../../../support/fake-clock.js'

/** Delivers what it holds to the pulls of its newest consumer, as the engine does. */
class EngineDouble {
  isConnected = true
  losses = 0
  base = 'one'
  first = 1
  last = 0
  bodyBytes = 8
  /** Numbers of deliveries, over all consumers, that do not arrive. */
  readonly lost = new Set<number>()
  consumers = 0
  pulls = 0
  /** A consumer that the engine has forgotten delivers nothing, and answers nothing. */
  isForgotten = false
  /** Is trimmed while the next consumer is made. */
  trimmedMeanwhile = 0
  #sent = 0
  #next = 0
  #delivery = 0
  #pull: { reply: string; left: number; bytes: number } | null = null
  #hear: (message: EngineMessage) => void = () => {}

  async api<Answer>(path: string, question?: unknown): Promise<Answer> {
    if (path.startsWith('CONSUMER.CREATE')) {
      this.consumers++
      this.isForgotten = false
      this.first = Math.max(this.first, this.trimmedMeanwhile + 1)
      this.#next = Math.max(
        (question as { config: { opt_start_seq: number } }).config.opt_start_seq,
        this.first,
      )
      this.#delivery = 0
      this.#pull = null
    }
    const config = { metadata: { voicestream: this.base } }
    return { config, state: { first_seq: this.first, last_seq: this.last } } as Answer
  }

  listen(_: string, hear: (message: EngineMessage) => void): () => void {
    this.#hear = hear
    return () => {}
  }

  tell(_: string, body: Uint8Array, reply: string): void {
    this.pulls++
    const { batch, max_bytes } = JSON.parse(new TextDecoder().decode(body))
    this.#pull = { reply, left: batch, bytes: max_bytes }
    this.deliver()
  }

  store(count: number): void {
    this.last += count
    this.deliver()
  }

  deliver(): void {
    while (this.#pull !== null && !this.isForgotten && this.#next <= this.last) {
      if (this.#pull.bytes < this.bodyBytes) return this.end(409, 'Message Size Exceeds MaxBytes')
      const reply = `$JS.ACK.VS.c.1.${this.#next++}.${++this.#delivery}.1700000000123456789.0`
      this.#pull.left--
      this.#pull.bytes -= this.bodyBytes
      if (this.#pull.left === 0) this.#pull = null
      if (!this.lost.has(++this.#sent))
        this.#hear(messageOf('vs.log.a', reply, new Uint8Array(this.bodyBytes)))
    }
  }

  end(code = 408, description = 'Request Timeout'): void {
    const pull = this.#pull
    this.#pull = null
    if (pull !== null)
      this.#hear({ ...messageOf(pull.reply, ''), code, description, header: () => String(pull.left) })
  }
}

const messageOf = (subject: string, reply: string, body = new Uint8Array(0)): EngineMessage => ({
  subject,
  reply,
  body,
  code: 0,
  description: '',
  header: () => 'id',
})

function follow(engine: EngineDouble, after = 0) {
  const clock = new FakeClock()
  const taken: number[] = []
  const trims: number[] = []
  const ends: number[] = []
  const following = new Following({
    engine,
    clock,
    stream: 'VS',
    after,
    taker: {
      message: ({ sequence }) => taken.push(sequence),
      trimmed: (first) => trims.push(first),
      lost: (last) => ends.push(last),
    },
  })
  return { clock, taken, trims, ends, following }
}

const through = (last: number, first = 1) => Array.from({ length: last - first + 1 }, (_, at) => first + at)

describe('a follower', () => {
  test('takes what is there and what comes, over many pulls, from one consumer', async () => {
    const engine = new EngineDouble()
    engine.last = 3000
    const { clock, taken } = follow(engine)
    await clock.advance(200)
    engine.store(100)
    engine.end()
    engine.store(100)
    assert.deepEqual(taken, through(3200))
    assert.equal(engine.consumers, 1)
    assert(engine.pulls > 3, `${engine.pulls} pulls`)
  })

  test('begins again behind what it has where a delivery is lost between others', async () => {
    const engine = new EngineDouble()
    engine.lost.add(5)
    const { clock, taken } = follow(engine)
    await clock.advance(200)
    engine.store(8)
    assert.deepEqual(taken, through(4))
    await clock.advance(500)
    assert.deepEqual(taken, through(8))
    assert.equal(engine.consumers, 2)
  })

  test('learns at the end of its pull that the last delivery was lost', async () => {
    const engine = new EngineDouble()
    engine.lost.add(3)
    const { clock, taken } = follow(engine)
    await clock.advance(200)
    engine.store(3)
    assert.deepEqual(taken, through(2))
    engine.end()
    await clock.advance(500)
    assert.deepEqual(taken, through(3))
  })

  test('gives up a consumer of which it hears nothing', async () => {
    const engine = new EngineDouble()
    const { clock, taken } = follow(engine)
    await clock.advance(200)
    engine.isForgotten = true
    engine.store(2)
    await clock.advance(1000)
    assert.deepEqual(taken, [])
    await clock.advance(4000)
    assert.deepEqual(taken, through(2))
    assert.equal(engine.consumers, 2)
  })

  test('begins again after a connection was lost, once there is another one', async () => {
    const engine = new EngineDouble()
    const { clock, taken } = follow(engine)
    await clock.advance(200)
    engine.losses = 1
    engine.isConnected = false
    engine.isForgotten = true
    engine.store(2)
    await clock.advance(1000)
    assert.equal(engine.consumers, 1)
    engine.isConnected = true
    await clock.advance(500)
    assert.deepEqual(taken, through(2))
    assert.equal(engine.consumers, 2)
  })

  test('says that what comes next was trimmed, also where nothing is left, and takes nothing more', async () => {
    const engine = new EngineDouble()
    engine.first = 4
    engine.last = 3
    const { clock, taken, trims } = follow(engine, 1)
    await clock.advance(200)
    assert.deepEqual(trims, [4])
    engine.store(2)
    await clock.advance(5000)
    assert.deepEqual([taken, trims, engine.consumers], [[], [4], 0])
  })

  test('says that what comes next was trimmed while it began', async () => {
    const engine = new EngineDouble()
    engine.last = 9
    engine.trimmedMeanwhile = 7
    const { clock, taken, trims } = follow(engine, 3)
    await clock.advance(5000)
    assert.deepEqual([taken, trims], [[], [8]])
  })

  test('says that the log ends before what it has, and not because a new leader does not know yet', async () => {
    const engine = new EngineDouble()
    engine.last = 5
    const { clock, taken, ends } = follow(engine, 7)
    await clock.advance(2000)
    engine.last = 8
    await clock.advance(5000)
    assert.deepEqual([taken, ends], [[8], []])

    const shorter = follow(engine, 9)
    await shorter.clock.advance(5000)
    assert.deepEqual([shorter.taken, shorter.ends], [[], [8]])
    assert.equal(shorter.clock.timerCount, 0)
  })

  test('says that another log has taken the place of its own, however long that is', async () => {
    const engine = new EngineDouble()
    engine.last = 3
    const { clock, taken, ends } = follow(engine)
    await clock.advance(200)
    engine.isForgotten = true
    engine.base = 'another'
    engine.last = 9
    await clock.advance(10_000)
    assert.deepEqual([taken, ends], [[1, 2, 3], [9]])
  })

  test('asks for no more while what came is not taken', async () => {
    const engine = new EngineDouble()
    engine.bodyBytes = 1024 * 1024
    engine.last = 100
    const { clock, taken, following } = follow(engine)
    await clock.advance(60_000)
    const waiting = taken.length * engine.bodyBytes
    const bound = limits.logMessageBytesMax + limits.logHeaderBytesMax + limits.logUntakenBytesMax
    assert(waiting > 0 && waiting <= bound, `${waiting} bytes wait`)
    assert.equal(engine.consumers, 1)
    for (let done = 0; done < 100; done++) {
      following.taken(engine.bodyBytes)
      await clock.advance(10)
    }
    assert.deepEqual(taken, through(100))
  })

  test('has ended when it is told to', async () => {
    const engine = new EngineDouble()
    const { clock, taken, following } = follow(engine)
    await clock.advance(200)
    following.end()
    engine.store(2)
    await clock.advance(10_000)
    assert.deepEqual([taken, engine.consumers, clock.timerCount], [[], 1, 0])
  })
})

describe('the place of a delivery', () => {
  test('is read from both forms of its reply', () => {
    const place = { sequence: 42, delivery: 7, storedAt: 1_700_000_000_123 }
    assert.deepEqual(placeOf('$JS.ACK.VS.c.1.42.7.1700000000123456789.9'), place)
    assert.deepEqual(placeOf('$JS.ACK.hub.ACC.VS.c.1.42.7.1700000000123456789.9.x'), place)
  })
})
