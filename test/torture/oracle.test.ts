/** The oracle itself: it reports every broken rule, and nothing where none is. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CompletionAttempt, History, Outcome, PacketAttempt } from './attempts.js'
import { type CallFigures, figuresOf, judge, type ReadBackCall } from './oracle.js'

let nextId = 1

function attempt(sequence: number, outcome: Outcome, changes: Partial<PacketAttempt> = {}): PacketAttempt {
  const id = nextId++
  const detail = outcome === 'refused' ? '409' : outcome === 'unknown' ? 'ECONNRESET' : '202'
  return {
    id,
    call: 'c1',
    sequence,
    contentHash: `content ${sequence}`,
    sentAt: id,
    doneAt: id + 0.5,
    outcome,
    detail,
    ...changes,
  }
}

function completion(totalPackets: number, outcome: Outcome): CompletionAttempt {
  return { id: nextId++, call: 'c1', totalPackets, outcome, detail: '' }
}

function history(packets: readonly PacketAttempt[], completions: readonly CompletionAttempt[] = []): History {
  return { packets, completions }
}

function stored(
  sequences: readonly number[],
  changes: Partial<CallFigures> = {},
  total: number | null = null,
): ReadBackCall {
  const { received, highest, missing, surplus, gaps } = figuresOf(sequences, total)
  const view = {
    total_received: received,
    expected_total_packets: total,
    highest_sequence: highest,
    missing_count: missing,
    missing_ranges: gaps.slice(0, 100),
    surplus_count: surplus,
    ...changes,
  }
  const packets = sequences.map((sequence) => ({ sequence, contentHash: `content ${sequence}` }))
  return { call: 'c1', packets, view, gaps }
}

function kinds(past: History, calls: readonly ReadBackCall[]): readonly string[] {
  return judge(past, calls).map(({ kind }) => kind)
}

test('a history that kept every rule is not reported', () => {
  const first = attempt(0, 'accepted')
  const past = history(
    [
      first,
      attempt(0, 'duplicate', { contentHash: 'other content' }),
      attempt(2, 'unknown'),
      attempt(2, 'duplicate'),
      attempt(3, 'unknown'),
      attempt(4, 'unknown'),
      attempt(5, 'refused'),
      attempt(6, 'refused'),
      attempt(6, 'unknown'),
    ],
    [completion(9, 'accepted')],
  )
  assert.deepEqual(judge(past, [stored([0, 2, 3, 6], {}, 9)]), [])
})

test('an acknowledged packet that is not stored is lost, whichever 202 it had', () => {
  assert.deepEqual(kinds(history([attempt(0, 'accepted'), attempt(1, 'accepted')]), [stored([0])]), ['lost'])
  assert.deepEqual(kinds(history([attempt(0, 'unknown'), attempt(0, 'duplicate')]), [stored([])]), ['lost'])
})

test('a call that was not read back at all has lost its acknowledged packets', () => {
  assert.deepEqual(kinds(history([attempt(0, 'accepted')]), []), ['lost'])
})

test('a packet that nobody sent is a phantom, in a known call and in an unknown one', () => {
  assert.deepEqual(kinds(history([attempt(0, 'accepted')]), [stored([0, 1])]), ['phantom'])
  const other = { ...stored([0]), call: 'c2' }
  assert.deepEqual(kinds(history([attempt(0, 'accepted')]), [stored([0]), other]), ['phantom'])
})

test('a packet that was only refused must not be stored', () => {
  const past = history([attempt(0, 'accepted'), attempt(1, 'refused'), attempt(1, 'refused')])
  assert.deepEqual(kinds(past, [stored([0, 1])]), ['refused-but-stored'])
})

test('a packet that is read back twice is reported', () => {
  const call = stored([0])
  assert.deepEqual(
    kinds(history([attempt(0, 'accepted')]), [{ ...call, packets: [...call.packets, ...call.packets] }]),
    ['stored-twice'],
  )
})

test('stored content is that of the first accepted attempt, or of one that may have been it', () => {
  const overwritten = [
    attempt(0, 'accepted', { contentHash: 'first' }),
    attempt(0, 'duplicate', { contentHash: 'content 0' }),
  ]
  assert.deepEqual(kinds(history(overwritten), [stored([0])]), ['wrong-content'])
  const either = [
    attempt(0, 'unknown', { contentHash: 'first' }),
    attempt(0, 'duplicate', { contentHash: 'content 0' }),
  ]
  assert.deepEqual(kinds(history(either), [stored([0])]), [])
  assert.deepEqual(kinds(history([attempt(0, 'unknown', { contentHash: 'first' })]), [stored([0])]), [
    'wrong-content',
  ])
})

test('two attempts that were both told to be the first are reported', () => {
  assert.deepEqual(kinds(history([attempt(0, 'accepted'), attempt(0, 'accepted')]), [stored([0])]), [
    'accepted-twice',
  ])
})

test('a duplicate without an original is reported, also when the original was sent after its answer', () => {
  assert.deepEqual(kinds(history([attempt(0, 'duplicate')]), [stored([0])]), ['false-duplicate'])
  const early = attempt(0, 'duplicate')
  assert.deepEqual(kinds(history([early, attempt(0, 'accepted')]), [stored([0])]), ['false-duplicate'])
  assert.deepEqual(kinds(history([attempt(0, 'refused'), attempt(0, 'duplicate')]), [stored([0])]), [
    'false-duplicate',
  ])
})

test('an answer that a valid packet cannot have is reported', () => {
  assert.deepEqual(kinds(history([attempt(0, 'refused', { detail: '422' })]), []), ['odd-answer'])
  assert.deepEqual(kinds(history([attempt(0, 'unknown', { detail: '202 unreadable' })]), []), ['odd-answer'])
})

test('every figure of a view that does not follow from the packets is reported', () => {
  const past = history([attempt(0, 'accepted'), attempt(3, 'accepted')])
  const wrong: readonly Partial<CallFigures>[] = [
    { total_received: 3 },
    { highest_sequence: 4 },
    { missing_count: 1 },
    { missing_ranges: [[1, 1]] },
    { surplus_count: 1 },
  ]
  for (const figure of wrong) assert.deepEqual(kinds(past, [stored([0, 3], figure)]), ['wrong-view'])
  assert.deepEqual(kinds(past, [{ ...stored([0, 3]), gaps: [[1, 1]] }]), ['wrong-gaps'])
  assert.deepEqual(kinds(past, [stored([0, 3])]), [])
})

test('a total that was acknowledged must be there, and one that was never sent must not', () => {
  const packets = [attempt(0, 'accepted')]
  assert.deepEqual(kinds(history(packets, [completion(4, 'accepted')]), [stored([0])]), ['wrong-view'])
  assert.deepEqual(kinds(history(packets), [stored([0], {}, 4)]), ['wrong-view'])
  assert.deepEqual(kinds(history(packets, [completion(4, 'unknown')]), [stored([0], {}, 4)]), [])
  assert.deepEqual(kinds(history(packets, [completion(4, 'refused')]), [stored([0], {}, 4)]), ['wrong-view'])
})

test('gaps are counted up to the highest number, and against the total where it is known', () => {
  assert.deepEqual(figuresOf([5, 0, 2], null).gaps, [
    [1, 1],
    [3, 4],
  ])
  assert.deepEqual(figuresOf([0, 2], 5), {
    received: 2,
    highest: 2,
    missing: 3,
    surplus: 0,
    gaps: [
      [1, 1],
      [3, 4],
    ],
  })
  assert.deepEqual(figuresOf([0, 7, 9], 3), {
    received: 3,
    highest: 9,
    missing: 2,
    surplus: 2,
    gaps: [[1, 2]],
  })
  assert.deepEqual(figuresOf([2 ** 31 - 1], null).missing, 2 ** 31 - 1)
  assert.deepEqual(figuresOf([], null), { received: 0, highest: null, missing: 0, surplus: 0, gaps: [] })
})
