/** What a receive log costs: memory, time and bytes of its snapshot, for the worst patterns (reliability P17). */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ReceiveLog } from '../../src/actors/receive-log.js'
import { randomNumbers, seed, shuffled } from '../support/property.js'

const sequenceMax = 2 ** 31 - 1
const packets = 10_000
const bytesMax = 256 * 1024
const numbers = [...Array(packets).keys()]

const patterns: Record<string, () => readonly number[]> = {
  ascending: () => numbers,
  reverse: () => [...numbers].reverse(),
  'reverse from the top': () => numbers.map((i) => sequenceMax - i),
  alternating: () => numbers.map((i) => i * 2),
  'alternating, downwards': () => numbers.map((i) => (packets - i) * 2),
  'sparse over 2^31': () => numbers.map((i) => i * Math.floor(sequenceMax / packets)),
  'sparse over 2^31, shuffled': () =>
    shuffled(
      numbers.map((i) => i * Math.floor(sequenceMax / packets)),
      randomNumbers(1),
    ),
  'random over 2^31': () => {
    const random = randomNumbers(2)
    return numbers.map(() => Math.floor(random() * 2 ** 31))
  },
  'stride 1,000': () => numbers.map((i) => i * 1000),
  'all even, then all odd': () => numbers.map((i) => (i < packets / 2 ? i * 2 : (i - packets / 2) * 2 + 1)),
  'a random permutation': () => shuffled(numbers, randomNumbers(3)),
  'the middle of every gap': () => bisected(0, sequenceMax, packets),
}

/** The order in which splitting the largest gap again and again visits a range. */
function bisected(first: number, last: number, count: number): number[] {
  const visited: number[] = []
  const queue = [{ first, last }]
  for (let i = 0; visited.length < count; i++) {
    const range = queue[i] as { first: number; last: number }
    const middle = Math.floor((range.first + range.last) / 2)
    visited.push(middle)
    queue.push({ first: range.first, last: middle - 1 }, { first: middle + 1, last: range.last })
  }
  return visited
}

describe('10,000 packets cost at most 256 KiB of tracking and a snapshot that restores', () => {
  for (const [name, pattern] of Object.entries(patterns))
    test(`when they are ${name}`, (t) => {
      // Guards against a plain or paged bitmap, which takes up to 256 MiB for these.
      t.diagnostic(`VSTEST_SEED=${seed}`)
      const log = new ReceiveLog()
      let bytes = 0
      for (const sequence of pattern()) {
        log.mark(sequence)
        bytes = Math.max(bytes, log.bytes)
      }
      assert(log.totalReceived > packets * 0.99)
      assert(bytes <= bytesMax, `${bytes} bytes`)
      const snapshot = log.snapshot()
      assert(snapshot.length <= bytesMax, `${snapshot.length} bytes of snapshot`)
      assert.equal(ReceiveLog.restore(snapshot).missingCount, log.missingCount)
    })
})

describe('the snapshot of a receive log', () => {
  test('takes at most 16 bytes for a call in order, however long', () => {
    for (const count of [1, 1000, 100_000]) {
      const log = new ReceiveLog()
      for (let sequence = 0; sequence < count; sequence++) log.mark(sequence)
      log.expect(count)
      assert(log.snapshot().length <= 16)
      assert.equal(log.bytes, 0)
    }
    const top = new ReceiveLog()
    top.mark(sequenceMax)
    top.expect(2 ** 31)
    assert(top.snapshot().length <= 24, 'the largest numbers take five bytes each')
  })

  test('takes at most 4 bytes a gap at a loss of 1 %', (t) => {
    t.diagnostic(`VSTEST_SEED=${seed}`)
    const random = randomNumbers(4)
    const log = new ReceiveLog()
    for (let sequence = 0; sequence < 50_000; sequence++) if (random() >= 0.01) log.mark(sequence)
    const gaps = log.missingRanges(0, 50_000).ranges.length
    assert(gaps > 300, `${gaps} gaps`)
    assert(log.snapshot().length <= 16 + gaps * 4, `${log.snapshot().length} bytes for ${gaps} gaps`)
  })
})

describe('a receive log stays quick', () => {
  test('when 100,000 alternating numbers are filled in any order', (t) => {
    // Guards against gaps in one flat list, where filling from the middle moves megabytes a packet.
    t.diagnostic(`VSTEST_SEED=${seed}`)
    const startedAt = performance.now()
    const evens = [...Array(100_000).keys()].map((i) => i * 2)
    const odds = evens.map((sequence) => sequence + 1)
    for (const order of [odds, [...odds].reverse(), shuffled(odds, randomNumbers(5))]) {
      const log = new ReceiveLog()
      for (const sequence of evens) log.mark(sequence)
      for (const sequence of order) log.mark(sequence)
      assert.equal(log.totalReceived, 200_000)
      assert.equal(log.missingCount, 0)
      assert.equal(log.bytes, 0, 'closed gaps give their memory back')
    }
    const ms = performance.now() - startedAt
    assert(ms < 5000, `600,000 packets took ${ms} ms`)
  })

  test('when the first number of a call is the highest of all', () => {
    // Guards against any loop over the numbers that were skipped.
    const startedAt = performance.now()
    const logs = [...Array(1000)].map(() => new ReceiveLog())
    for (const log of logs) {
      log.mark(sequenceMax)
      log.expect(2 ** 31)
      assert.equal(log.missingCount, sequenceMax)
      assert.equal(log.missingSequences().length, 100)
      assert(log.bytes <= 64, `${log.bytes} bytes`)
    }
    const ms = performance.now() - startedAt
    // A loop over 2^31 numbers takes seconds for each call; a busy machine takes them for none.
    assert(ms < 5000, `1,000 calls took ${ms} ms`)
  })
})
