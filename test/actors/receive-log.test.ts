/** The receive log against a naive set: every pattern of arrival, from every edge, with and without a total. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { ReceiveLog } from '../../src/actors/receive-log.js'
import { holds } from '../support/property.js'
import { figuresOf, NaiveReceiveLog, naiveFiguresOf, naivePage } from './naive-receive-log.js'

const sequenceMax = 2 ** 31 - 1
const starts = [0, 1, 511, 512, 513, 1022, 1024, 1026, 65_535, 65_536, 2 ** 24, sequenceMax - 1, sequenceMax]

/** Offsets from a start. Above the highest sequence they turn round, so that the top is met as the bottom is. */
const patterns = {
  random: fc.array(fc.nat(300), { maxLength: 120 }),
  ascending: fc.nat(120).map((n) => upTo(n)),
  descending: fc.nat(120).map((n) => upTo(n).reverse()),
  sparse: fc.array(fc.nat(sequenceMax), { maxLength: 60 }),
  stride: fc
    .tuple(fc.integer({ min: 2, max: 5000 }), fc.nat(90))
    .map(([step, n]) => upTo(n).map((i) => i * step)),
  duplicates: fc.array(fc.nat(8), { maxLength: 80 }),
  evenThenOdd: fc.nat(60).map((n) => [...upTo(n).map((i) => i * 2), ...upTo(n).map((i) => i * 2 + 1)]),
  permutation: fc.integer({ min: 1, max: 100 }).chain((n) => fc.shuffledSubarray(upTo(n), { minLength: n })),
  reordered: fc
    .array(fc.integer({ min: -4, max: 4 }), { maxLength: 120 })
    .map((jitter) => jitter.map((by, i) => Math.max(i + by, 0))),
} as const

function upTo(n: number): number[] {
  return [...Array(n).keys()]
}

const someTotal = fc.oneof(
  fc.constant(null),
  fc.record({
    afterStep: fc.nat(130),
    /** Relative to what is the highest number then: below it, at it, just above it, far above it. */
    beyondHighest: fc.oneof(fc.integer({ min: -130, max: 130 }), fc.nat(sequenceMax)),
  }),
)

const cases = (pattern: fc.Arbitrary<number[]>) =>
  fc.record({
    start: fc.constantFrom(...starts),
    offsets: pattern,
    total: someTotal,
    restoreAfter: fc.nat(130),
  })

type Case = {
  start: number
  offsets: number[]
  total: { afterStep: number; beyondHighest: number } | null
  restoreAfter: number
}

function sequencesOf({ start, offsets }: Case): number[] {
  return offsets
    .map((offset) => (start + offset <= sequenceMax ? start + offset : start - offset))
    .map(Math.abs)
}

function checkStep(log: ReceiveLog, naive: NaiveReceiveLog, touched: number): void {
  assert.deepEqual(figuresOf(log), naiveFiguresOf(naive))
  for (const sequence of [touched, touched - 1, touched + 1, naive.highest, naive.highest + 1, 0])
    assert.equal(log.has(sequence), naive.received.has(sequence), `has(${sequence})`)
  const copy = ReceiveLog.restore(log.snapshot())
  assert.deepEqual(figuresOf(copy), figuresOf(log))
  assert.deepEqual(copy.snapshot(), log.snapshot())
}

/** Every page from every place that matters: the edges of all ranges and of the log, and one to each side of them. */
function checkPages(log: ReceiveLog, naive: NaiveReceiveLog): void {
  const missing = naive.missing()
  const edges = missing.flatMap(({ first, last }) => [first, last])
  const places = new Set(
    [0, naive.highest, naive.total ?? 0, sequenceMax, ...edges].flatMap((at) => [at - 1, at, at + 1]),
  )
  for (const from of places) {
    if (from < 0 || from > sequenceMax) continue
    for (const limit of [1, 2, 3, missing.length, missing.length + 1])
      if (limit >= 1) assert.deepEqual(log.missingRanges(from, limit), naivePage(missing, from, limit))
  }
}

function live(testCase: Case): number {
  const naive = new NaiveReceiveLog()
  let log = new ReceiveLog()
  const sequences = sequencesOf(testCase)
  for (const [step, sequence] of sequences.entries()) {
    assert.equal(log.mark(sequence), naive.mark(sequence), `mark(${sequence}) in step ${step}`)
    if (step === testCase.total?.afterStep) {
      const total = Math.min(Math.max(naive.highest + testCase.total.beyondHighest, 1), 2 ** 31)
      log.expect(total)
      naive.total = total
    }
    checkStep(log, naive, sequence)
    if (step !== testCase.restoreAfter) continue
    checkPages(log, naive)
    log = ReceiveLog.restore(log.snapshot())
  }
  checkPages(log, naive)
  return sequences.length
}

describe('a receive log says what a set of the received numbers says, after every step', () => {
  for (const [name, pattern] of Object.entries(patterns))
    test(`for arrivals that are ${name}`, async (t) => {
      // Guards against: a late packet taken for a duplicate, gaps lost or merged wrongly, counts capped with the list.
      let steps = 0
      await holds(t, cases(pattern), 50, (testCase) => {
        steps += live(testCase)
      })
      assert(steps > 100, `${steps} steps`)
    })
})

describe('a receive log', () => {
  test('counts a late packet once and closes its gap', () => {
    const log = new ReceiveLog()
    assert.deepEqual(
      [0, 2, 1, 1].map((sequence) => log.mark(sequence)),
      ['in-order', 'ahead', 'late', 'duplicate'],
    )
    assert.equal(log.lateCount, 1)
    assert.equal(log.missingCount, 0)
  })

  test('never takes a late packet for a duplicate, however many gaps are open', () => {
    // Guards against a cap on tracked gaps, the fault of the service that this one replaces.
    const log = new ReceiveLog()
    for (let sequence = 0; sequence <= 40_000; sequence += 2) log.mark(sequence)
    let late = 0
    for (let sequence = 1; sequence < 40_000; sequence += 2) if (log.mark(sequence) === 'late') late++
    assert.equal(late, 20_000)
    assert.equal(log.missingCount, 0)
  })

  test('refuses numbers outside the contract', () => {
    const log = new ReceiveLog()
    for (const sequence of [-1, 2 ** 31, Number.NaN]) assert.throws(() => log.mark(sequence))
    for (const total of [-1, 2 ** 31 + 1]) assert.throws(() => log.expect(total))
    assert.equal(log.totalReceived, 0)
  })

  test('takes its total once', () => {
    const log = new ReceiveLog()
    log.expect(5)
    assert.throws(() => log.expect(5))
  })

  test('counts a missing tail against the total, and a surplus beside it', () => {
    const log = new ReceiveLog()
    for (const sequence of [0, 1, 7]) log.mark(sequence)
    log.expect(5)
    assert.equal(log.missingCount, 3)
    assert.equal(log.surplusCount, 1)
    assert.deepEqual(log.missingSequences(), [2, 3, 4])
    assert.deepEqual(log.missingRanges(0, 10), { ranges: [{ first: 2, last: 4 }], nextFrom: null })
  })

  test('hands out a list of missing numbers that later packets do not change', () => {
    // Guards against one shared array: a receipt that waits for its commit must say what was true when it was made.
    const log = new ReceiveLog()
    for (const sequence of [0, 3]) log.mark(sequence)
    const listed = log.missingSequences()
    log.mark(1)
    assert.deepEqual(listed, [1, 2])
    assert.deepEqual(log.missingSequences(), [2])
  })

  test('refuses a snapshot that is cut off or of another version', () => {
    const log = new ReceiveLog()
    for (const sequence of [3, 70_000]) log.mark(sequence)
    const snapshot = log.snapshot()
    for (let bytes = 0; bytes < snapshot.length; bytes++)
      assert.throws(() => ReceiveLog.restore(snapshot.subarray(0, bytes)), `cut to ${bytes} bytes`)
    assert.throws(() => ReceiveLog.restore(Uint8Array.of(99, ...snapshot.subarray(1))), /known version/)
  })
})

test('a receive log keeps a total of 0, of a call that never had a packet, apart from none', () => {
  const log = new ReceiveLog()
  assert.equal(ReceiveLog.restore(log.snapshot()).expectedTotal, null)
  log.expect(0)
  const copy = ReceiveLog.restore(log.snapshot())
  for (const each of [log, copy]) {
    assert.deepEqual([each.expectedTotal, each.missingCount, each.surplusCount], [0, 0, 0])
    assert.deepEqual(each.missingRanges(0, 10), { ranges: [], nextFrom: null })
  }
})
