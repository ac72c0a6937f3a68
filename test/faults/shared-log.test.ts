/**
 * The log on three real NATS servers, whose servers are killed, stand still, are all restarted, or are full. Guards against a
 * message that is acknowledged and lost, that is stored twice, or that a follower misses: also against a
 * writer that takes an unknown outcome for a refusal. Each test says that its fault was felt.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../../src/clock.js'
import { appendCertainly } from '../../src/store/cluster/append-path.js'
import { createStream } from '../../src/store/cluster/jetstream/stream.js'
import type { AppendOutcome, Log, LogAppend, LogMessage } from '../../src/store/log.js'
import { atEnd } from '../support/cleanup.js'
import { newStream } from '../support/jetstream-logs.js'
import { describeWithNats, type NatsServers, suiteNatsServers } from '../support/nats-servers.js'
import { patience } from '../support/patience.js'

/** Alone on its subject: one message at a time, each until its outcome is certain. */
class Writer {
  readonly subject: string
  /** By id, the sequence that was acknowledged. */
  readonly acknowledged = new Map<string, number>()
  /** Reasons of the outcomes that were unknown. */
  readonly unknown: string[] = []
  readonly #log: Log
  #last = 0
  #isOver = false
  #isDone: Promise<void>

  constructor(t: TestContext, log: Log, subject: string) {
    this.#log = {
      append: (attempt, settled) => log.append(attempt, (outcome) => settled(this.#noted(outcome))),
      follow: () => () => {},
      trim: async () => {},
    }
    this.subject = subject
    this.#isDone = this.#write()
    atEnd(t, () => this.end())
  }

  #noted(outcome: AppendOutcome): AppendOutcome {
    if (outcome.kind === 'unknown') this.unknown.push(outcome.reason)
    return outcome
  }

  async #write(): Promise<void> {
    for (let n = 1; !this.#isOver; n++) {
      const id = `${this.subject}.${n}`
      // Who was before it on the subject, for the reader.
      const body = Buffer.from(`${this.#last}`.padEnd(2000))
      const attempt: LogAppend = { subject: this.subject, expected: this.#last, id, body }
      const outcome = await new Promise<AppendOutcome>((settled) =>
        appendCertainly(this.#log, systemClock, attempt, settled),
      )
      assert(outcome.kind === 'stored', `${id} was ${JSON.stringify(outcome)}`)
      this.acknowledged.set(id, outcome.at)
      this.#last = outcome.at
    }
  }

  async more(count: number): Promise<void> {
    await until(() => this.acknowledged.size, this.acknowledged.size + count)
  }

  async end(): Promise<void> {
    this.#isOver = true
    await this.#isDone
  }
}

async function until(value: () => number, wanted: number): Promise<void> {
  const deadline = performance.now() + patience(60_000)
  while (value() < wanted) {
    assert(performance.now() < deadline, `${value()} of ${wanted} in time`)
    await sleep(20)
  }
}

/** Follows from the beginning, into the array. */
function follow(log: Log): LogMessage[] {
  const messages: LogMessage[] = []
  log.follow(0, {
    take: (message) => messages.push(message),
    trimmed: (first) => assert.fail(`trimmed up to ${first}`),
    lost: (last) => assert.fail(`lost behind ${last}`),
  })
  return messages
}

/** All that was acknowledged is there, once, at its place, behind what its writer knew; and both followers have had the same. */
async function assertWhole(writers: readonly Writer[], live: readonly LogMessage[], log: Log): Promise<void> {
  for (const writer of writers) await writer.end()
  const last = Math.max(...writers.flatMap(({ acknowledged }) => [...acknowledged.values()]))
  const all = follow(log)
  await until(() => all.length, last)
  await until(() => live.length, last)
  assert.deepEqual(
    all.map(({ sequence }) => sequence),
    Array.from({ length: last }, (_, at) => at + 1),
  )
  assert.deepEqual(
    live.map(({ sequence, id }) => `${sequence} ${id}`),
    all.map(({ sequence, id }) => `${sequence} ${id}`),
  )
  assert.equal(new Set(all.map(({ id }) => id)).size, all.length)
  const acknowledged = new Map(writers.flatMap((writer) => [...writer.acknowledged]))
  assert(acknowledged.size > 0)
  assert.deepEqual(new Map(all.map(({ id, sequence }) => [id, sequence])), acknowledged)
  const lastOf = new Map<string, number>()
  for (const { subject, sequence, body } of all) {
    assert.equal(Number(new TextDecoder().decode(body)), lastOf.get(subject) ?? 0, `message ${sequence}`)
    lastOf.set(subject, sequence)
  }
}

describeWithNats('the shared log over NATS', () => {
  const suite = suiteNatsServers()

  async function begin(t: TestContext, servers: NatsServers) {
    const stream = await newStream(t, servers)
    // The writers' node begins at the leader, and the reader's at another server.
    const leader = await servers.leader(stream.name)
    const other = servers.all.find((server) => server !== leader)
    assert(other !== undefined)
    const logs = [
      await stream.open({ servers: [leader.url] }),
      await stream.open({ servers: [other.url] }),
    ] as const
    const writers = [new Writer(t, logs[0], 'vs.log.a'), new Writer(t, logs[1], 'vs.log.b')] as const
    const live = follow(logs[1])
    for (const writer of writers) await writer.more(20)
    return { stream, leader, other, writers, live, reader: logs[1] }
  }

  const felt = (writers: readonly Writer[]) =>
    assert(
      writers.every(({ unknown }) => unknown.length > 0),
      'no writer met an unknown outcome',
    )

  test('loses nothing and stores nothing twice when its leader is killed', async (t) => {
    const servers = suite()
    const { stream, leader, writers, live, reader } = await begin(t, servers)
    await leader.kill()
    for (const writer of writers) await writer.more(20)
    assert.notEqual(await servers.leader(stream.name), leader)
    felt(writers)
    leader.start()
    await leader.untilReady()
    await assertWhole(writers, live, reader)
  })

  test('loses nothing and stores nothing twice when its leader stands still, and goes on', async (t) => {
    const servers = suite()
    const { leader, writers, live, reader } = await begin(t, servers)
    leader.pause()
    atEnd(t, () => leader.go())
    for (const writer of writers) await writer.more(20)
    felt(writers)
    leader.go()
    for (const writer of writers) await writer.more(20)
    await leader.untilReady()
    await assertWhole(writers, live, reader)
  })

  test('misses nothing when the server of a follower stands still', async (t) => {
    const servers = suite()
    const { other, writers, live, reader } = await begin(t, servers)
    other.pause()
    atEnd(t, () => other.go())
    for (const writer of writers) await writer.more(20)
    const seen = writers[0].acknowledged.size
    await until(() => live.filter(({ subject }) => subject === 'vs.log.a').length, seen)
    other.go()
    await other.untilReady()
    await assertWhole(writers, live, reader)
  })

  test('is whole after all servers were killed at once', async (t) => {
    const servers = suite()
    const { writers, live, reader } = await begin(t, servers)
    await Promise.all(servers.all.map((server) => server.kill()))
    for (const server of servers.all) server.start()
    await Promise.all(servers.all.map((server) => server.untilReady()))
    for (const writer of writers) await writer.more(20)
    felt(writers)
    await assertWhole(writers, live, reader)
  })

  test('drops nothing when it is full, and takes messages again once it is trimmed', async (t) => {
    const stream = await newStream(t, suite(), { bytesMax: 300_000 })
    const log = await stream.open()
    const writer = new Writer(t, log, 'vs.log.a')
    await until(() => writer.unknown.length, 1)
    assert.match(writer.unknown[0] ?? '', /full/)
    const held = writer.acknowledged.size
    const messages = follow(await stream.open())
    await until(() => messages.length, held)
    assert.equal(messages[0]?.sequence, 1)
    await log.trim(held - 10)
    await writer.more(10)
    assert.equal(writer.acknowledged.size, new Set(writer.acknowledged.values()).size)
  })

  test('tells its follower that another log has taken its place', async (t) => {
    const stream = await newStream(t, suite())
    const log = await stream.open()
    const taken: LogMessage[] = []
    const lost = new Promise<number>((resolve) =>
      log.follow(0, { take: (message) => taken.push(message), trimmed: () => {}, lost: resolve }),
    )
    const writer = new Writer(t, log, 'vs.log.a')
    await until(() => taken.length, 5)
    await writer.end()
    await stream.engine.api(`STREAM.DELETE.${stream.name}`)
    await createStream(stream.engine, { name: stream.name, base: 'another', bytesMax: 1024 ** 2 })
    assert.equal(await lost, 0)
  })

  test('refuses by the guard what comes again when the id is forgotten', async (t) => {
    const stream = await newStream(t, suite(), { duplicateMs: 500 })
    const log = await stream.open()
    const attempt = { subject: 'vs.log.a', expected: 0, id: 'a1', body: new Uint8Array(1) }
    const appended = () => new Promise<AppendOutcome>((settled) => log.append(attempt, settled))
    assert.deepEqual(await appended(), { kind: 'stored', at: 1 })
    let again = await appended()
    for (
      const deadline = performance.now() + patience(20_000);
      again.kind !== 'refused';
      again = await appended()
    ) {
      assert.deepEqual(again, { kind: 'stored', at: 1 })
      assert(performance.now() < deadline)
      await sleep(200)
    }
    assert.deepEqual(again, { kind: 'refused', last: 1 })
  })

  test('bounds what is on its way to servers that take nothing', async (t) => {
    const servers = suite()
    const stream = await newStream(t, servers)
    const log = await stream.open()
    for (const server of servers.all) server.pause()
    atEnd(t, () => {
      for (const server of servers.all) server.go()
    })
    const body = new Uint8Array(8 * 1024 * 1024)
    const outcomes = await Promise.all(
      Array.from(
        { length: 40 },
        (_, n) =>
          new Promise<AppendOutcome>((settled) =>
            log.append({ subject: 'vs.log.a', expected: 0, id: `m${n}`, body }, settled),
          ),
      ),
    )
    const reasons = outcomes.map((outcome) => (outcome.kind === 'unknown' ? outcome.reason : outcome.kind))
    assert.equal(reasons.filter((reason) => reason === 'too much is under way to the log').length, 32)
    for (const server of servers.all) server.go()
    await Promise.all(servers.all.map((server) => server.untilReady()))
  })
})
