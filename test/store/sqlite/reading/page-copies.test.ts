/**
 * What a page of packets costs while much of its call is not folded yet. Guards against copies of all of it for each page:
 * to the thread of the journal, and again to the one that reads (V11).
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { limits } from '../../../../src/limits.js'
import { callId } from '../../../support/calls.js'
import { append, packetEntry, snapshot } from '../../../support/journals.js'
import { randomNumbers, seed, shuffled } from '../../../support/property.js'
import { openJournal } from '../../../support/sqlite.js'

const id = callId('live')
const packets = 3000
const data = 'x'.repeat(3000)
/** Beside what was asked for: the heads of the records, and what stands around them in an answer. */
const slack = 1.25

/** The bytes of buffers in all that is sent to the threads of a journal, and in all that comes back. */
function countCopies(t: TestContext): () => number {
  let bytes = 0
  const bytesIn = (value: unknown): number => {
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return value.byteLength
    if (typeof value !== 'object' || value === null) return 0
    // `into` is memory that is lent: it moves, and what is written into it counts when it comes back.
    const members = Object.entries(value).filter(([name]) => name !== 'into')
    return members.reduce((sum: number, [, member]) => sum + bytesIn(member), 0)
  }
  const { postMessage, emit } = Worker.prototype
  t.mock.method(
    Worker.prototype,
    'postMessage',
    function (this: Worker, ...sent: Parameters<Worker['postMessage']>) {
      bytes += bytesIn(sent[0])
      return postMessage.apply(this, sent)
    },
  )
  t.mock.method(Worker.prototype, 'emit', function (this: Worker, name: string, ...told: unknown[]) {
    if (name === 'message') bytes += bytesIn(told[0])
    return emit.call(this, name, ...told)
  })
  return () => {
    const counted = bytes
    bytes = 0
    return counted
  }
}

for (const order of ['ascending', 'shuffled'] as const)
  test(`a page copies itself and not what is pending of its call, which came ${order}`, async (t) => {
    t.diagnostic(`VSTEST_SEED=${seed}`)
    const { journal } = await openJournal(t)
    const numbers = [...Array(packets).keys()]
    const sent = order === 'ascending' ? numbers : shuffled(numbers, randomNumbers(1))
    const stream = journal.create(id)
    // One batch: it is folded with the next one, so all of it is pending.
    await append(
      journal,
      stream,
      sent.map((sequence) => packetEntry(sequence, data)),
      snapshot(),
    )
    const copies = countCopies(t)
    let pages = 0
    for (const limit of [1, 10, 100])
      for (const from of [0, 1234, packets - 1, packets]) {
        const { packets: found, nextFrom } = await journal.packets(id, from, limit)
        const expected = numbers.slice(from, from + limit)
        assert.deepEqual(
          found.map(({ sequence }) => sequence),
          expected,
        )
        assert.equal(nextFrom, numbers[from + limit] ?? null)
        const bytes = expected.length * data.length
        const copied = copies()
        // From the writer, to the reader and back.
        assert(copied >= 3 * bytes, `${copied} bytes were counted for a page of ${bytes}`)
        assert(copied <= 3 * slack * bytes, `a page of ${bytes} bytes copied ${copied}`)
        pages++
      }
    assert.equal(pages, 12)
    assert(packets * data.length > 4 * limits.pageBytesMax, 'more is pending than a page may hold')
  })

test('a replay copies of what is pending only what is behind its snapshot, and no data', async (t) => {
  const { journal } = await openJournal(t)
  const stream = journal.create(id)
  const entries = (first: number, count: number) =>
    Array.from({ length: count }, (_, i) => packetEntry(first + i, data))
  await Promise.all([
    append(journal, stream, entries(0, packets), snapshot()),
    append(journal, stream, entries(packets, 100)),
  ])
  journal.release(stream)
  const copies = countCopies(t)
  const history = await journal.replay(id)
  // An object for each of thousands of packets would hold up the thread that takes in everybody's.
  assert.deepEqual(
    history?.entries.map((entry) => entry.type === 'packet' && [entry.sequence, entry.count]),
    [[packets, 100]],
  )
  const copied = copies()
  assert(copied > 0 && copied < 3 * 100 * 40, `${copied} bytes`)
})
