/**
 * What every shared log owes its callers: one order, the guard, ids that store once, followers that miss nothing. Nothing of
 * it needs a fault of the log, so it runs against any implementation.
 */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { AppendOutcome, Log, LogMessage } from '../../src/store/log.js'
import { randomNumbers, seed } from '../support/property.js'

export interface LogUnderTest {
  /** Of one node and of another one, to the same empty log. */
  readonly log: Log
  readonly other: Log
  /** The log has forgotten every id that it knows now; absent where a test cannot wait for that. */
  readonly idsForgotten?: () => Promise<void>
}

export type OpenLog = (t: TestContext) => Promise<LogUnderTest>

/** Of a kind that does not copy itself where it is cut. */
const bodyOf = (text: string) => Buffer.from(text)
const textOf = ({ body }: LogMessage) => new TextDecoder().decode(body)

interface Attempt {
  readonly subject?: string
  readonly expected: number
  readonly id: string
  readonly text?: string
}

function appended(
  log: Log,
  { subject = 'vs.log.a', expected, id, text = id }: Attempt,
): Promise<AppendOutcome> {
  return new Promise((settled) => log.append({ subject, expected, id, body: bodyOf(text) }, settled))
}

/** Appended by a writer who is alone on the subject. Returns its sequence. */
async function stored(log: Log, attempt: Attempt): Promise<number> {
  const outcome = await appended(log, attempt)
  assert(outcome.kind === 'stored', JSON.stringify(outcome))
  return outcome.at
}

/** Follows until so many messages have come; they go on coming into the array. */
async function followed(log: Log, after: number, count: number): Promise<LogMessage[]> {
  const messages: LogMessage[] = []
  await new Promise<void>((resolve, reject) => {
    if (count === 0) resolve()
    log.follow(after, {
      take: (message) => {
        messages.push(message)
        if (messages.length === count) resolve()
      },
      trimmed: (first) => reject(new Error(`trimmed up to ${first}`)),
      lost: (last) => reject(new Error(`lost behind ${last}`)),
    })
  })
  return messages
}

export function logContract(name: string, open: OpenLog): void {
  describe(`${name} has one order`, () => {
    test('over all subjects, the same for every follower', async (t) => {
      const { log, other } = await open(t)
      const sequences = [
        await stored(log, { subject: 'vs.log.a', expected: 0, id: 'a1' }),
        await stored(other, { subject: 'vs.log.b', expected: 0, id: 'b1' }),
        await stored(log, { subject: 'vs.log.a', expected: 1, id: 'a2' }),
      ]
      assert.deepEqual(sequences, [1, 2, 3])
      for (const each of [log, other]) {
        const messages = await followed(each, 0, 3)
        assert.deepEqual(
          messages.map(({ sequence, subject, id }) => [sequence, subject, id]),
          [
            [1, 'vs.log.a', 'a1'],
            [2, 'vs.log.b', 'b1'],
            [3, 'vs.log.a', 'a2'],
          ],
        )
        assert.deepEqual(messages.map(textOf), ['a1', 'b1', 'a2'])
      }
    })

    test('and a follower from any place gets all behind it, and what comes later, once', async (t) => {
      const { log, other } = await open(t)
      for (let n = 0; n < 5; n++) await stored(log, { expected: n, id: `m${n}` })
      for (let after = 0; after <= 5; after++) {
        const messages = await followed(other, after, 5 - after)
        const more = 6 + after
        await stored(log, { expected: more - 1, id: `later${after}` })
        const [last] = await followed(other, more - 1, 1)
        assert.equal(last?.id, `later${after}`)
        await untilLast(messages, more)
        const wanted = Array.from({ length: more - after }, (_, at) => after + 1 + at)
        assert.deepEqual(
          messages.map(({ sequence }) => sequence),
          wanted,
        )
      }
    })

    test('and the body that was appended, whatever its writer does with the bytes afterwards', async (t) => {
      const { log, other } = await open(t)
      // Of Node's pool, and of its own: the one cannot be given to another thread, the other can, and must not be.
      const bodies = [bodyOf('as it was'), new TextEncoder().encode('as it was')]
      for (const [expected, body] of bodies.entries()) {
        const settled = new Promise((resolve) =>
          log.append({ subject: 'vs.log.a', expected, id: `m${expected}`, body }, resolve),
        )
        assert.equal(new TextDecoder().decode(body), 'as it was')
        body.fill(0)
        await settled
      }
      assert.deepEqual((await followed(other, 0, 2)).map(textOf), ['as it was', 'as it was'])
    })

    test('and a follower that has ended gets nothing more', async (t) => {
      const { log } = await open(t)
      let taken = 0
      const end = log.follow(0, { take: () => taken++, trimmed: () => {}, lost: () => {} })
      await stored(log, { expected: 0, id: 'm1' })
      end()
      const before = taken
      await stored(log, { expected: 1, id: 'm2' })
      await followed(log, 0, 2)
      assert.equal(taken, before)
    })
  })

  describe(`${name} says that it is not the log that a follower knows`, () => {
    test('where it ends before what the follower has', async (t) => {
      const { log, other } = await open(t)
      await stored(log, { expected: 0, id: 'a1' })
      await stored(log, { expected: 1, id: 'a2' })
      const last = await new Promise<number>((resolve, reject) =>
        other.follow(3, {
          take: () => reject(new Error('was taken')),
          trimmed: () => reject(new Error('was trimmed')),
          lost: resolve,
        }),
      )
      assert.equal(last, 2)
    })
  })

  describe(`${name} stores what its guard allows`, () => {
    test('and refuses an append that expects another last message, with the one that is', async (t) => {
      const { log, other } = await open(t)
      await stored(log, { expected: 0, id: 'a1' })
      await stored(other, { subject: 'vs.log.b', expected: 0, id: 'b1' })
      await stored(log, { expected: 1, id: 'a2' })
      for (const expected of [0, 1, 2, 4])
        assert.deepEqual(await appended(other, { expected, id: `x${expected}` }), {
          kind: 'refused',
          last: 3,
        })
      assert.equal((await followed(log, 0, 3)).length, 3)
      assert.equal(await stored(other, { expected: 3, id: 'a3' }), 4)
    })

    test('of two with the same expectation one, whoever asks first', async (t) => {
      const { log, other } = await open(t)
      for (let round = 0, last = 0; round < 20; round++) {
        const outcomes = await Promise.all([
          appended(round % 2 === 0 ? log : other, { expected: last, id: `${round}-1` }),
          appended(round % 2 === 0 ? other : log, { expected: last, id: `${round}-2` }),
        ])
        const kinds = outcomes.map(({ kind }) => kind).sort()
        // A log may be busy with the one and not know yet whether the other is too late.
        assert(kinds.filter((kind) => kind === 'stored').length === 1, kinds.join())
        last = Math.max(...outcomes.map((outcome) => (outcome.kind === 'stored' ? outcome.at : 0)))
      }
    })

    test('of many writers each message knows the one before it', async (t) => {
      t.diagnostic(`VSTEST_SEED=${seed}`)
      const { log, other } = await open(t)
      const random = randomNumbers(31)
      let accepted = 0
      const write = async (writer: number) => {
        let last = 0
        for (let n = 0; n < 20; n++) {
          const expected = random() < 0.2 ? Math.floor(random() * 20) : last
          const subject = random() < 0.5 ? 'vs.log.a' : 'vs.log.b'
          const attempt = { subject, expected, id: `w${writer}.${n}`, text: `${expected}` }
          const outcome = await appended(random() < 0.5 ? log : other, attempt)
          if (outcome.kind === 'stored') accepted++
          if (outcome.kind !== 'unknown') last = outcome.kind === 'stored' ? outcome.at : outcome.last
        }
      }
      await Promise.all(Array.from({ length: 6 }, (_, writer) => write(writer)))
      assert(accepted > 1)
      const lastOf = new Map<string, number>()
      for (const message of await followed(log, 0, accepted)) {
        assert.equal(Number(textOf(message)), lastOf.get(message.subject) ?? 0, `message ${message.sequence}`)
        lastOf.set(message.subject, message.sequence)
      }
    })
  })

  describe(`${name} stores an id once`, () => {
    test('and says of the second attempt where the first one is, also when more has come', async (t) => {
      const { log, other } = await open(t)
      await stored(log, { expected: 0, id: 'a1' })
      await stored(log, { expected: 1, id: 'a2' })
      assert.deepEqual(await appended(log, { expected: 0, id: 'a1' }), { kind: 'stored', at: 1 })
      assert.deepEqual(await appended(other, { expected: 1, id: 'a2' }), { kind: 'stored', at: 2 })
      await stored(log, { expected: 2, id: 'a3' })
      assert.deepEqual(
        (await followed(log, 0, 3)).map(({ id }) => id),
        ['a1', 'a2', 'a3'],
      )
    })

    test('and an id that was refused may come again', async (t) => {
      const { log } = await open(t)
      assert.equal((await appended(log, { expected: 7, id: 'a1' })).kind, 'refused')
      assert.equal(await stored(log, { expected: 0, id: 'a1' }), 1)
    })

    test('and refuses by the guard what comes again when the id is forgotten', async (t) => {
      const { log, idsForgotten } = await open(t)
      if (idsForgotten === undefined) return t.skip('this log remembers ids for longer than a test may take')
      await stored(log, { expected: 0, id: 'a1' })
      await idsForgotten()
      assert.deepEqual(await appended(log, { expected: 0, id: 'a1' }), { kind: 'refused', last: 1 })
    })
  })

  describe(`${name} can be trimmed`, () => {
    test('and keeps its sequences; who follows from before the first one held is told so', async (t) => {
      const { log, other } = await open(t)
      for (let n = 0; n < 4; n++) await stored(log, { expected: n, id: `m${n}` })
      await log.trim(2)
      assert.deepEqual(
        (await followed(other, 2, 2)).map(({ sequence }) => sequence),
        [3, 4],
      )
      const first = await new Promise<number>((resolve, reject) =>
        other.follow(1, {
          take: () => reject(new Error('was taken')),
          trimmed: resolve,
          lost: () => reject(new Error('was lost')),
        }),
      )
      assert.equal(first, 3)
      assert.equal(await stored(log, { expected: 4, id: 'm4' }), 5)
    })

    test('and a subject without messages ends with 0: no old expectation is true again', async (t) => {
      const { log } = await open(t)
      await stored(log, { expected: 0, id: 'a1' })
      await stored(log, { subject: 'vs.log.b', expected: 0, id: 'b1' })
      await log.trim(1)
      assert.deepEqual(await appended(log, { expected: 1, id: 'a2' }), { kind: 'refused', last: 0 })
      assert.equal(await stored(log, { expected: 0, id: 'a3' }), 3)
    })
  })
}

async function untilLast(messages: readonly LogMessage[], sequence: number): Promise<void> {
  while (messages.at(-1)?.sequence !== sequence) await new Promise((resolve) => setImmediate(resolve))
}
