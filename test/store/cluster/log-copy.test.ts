/**
 * Messages of the shared log in a node's own file, on real files. Guards against a message that is applied twice or not at all after a
 * restart, an erasure in the wrong place, and a copy that is not what a single node would have stored.
 */
import assert from 'node:assert/strict'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { StoredDamage } from '../../../src/errors.js'
import type { CallId } from '../../../src/protocol/call-id.js'
import { CallKeys } from '../../../src/store/call-keys.js'
import type { MessageInOrder } from '../../../src/store/cluster/applier.js'
import { LogCopy } from '../../../src/store/cluster/log-copy.js'
import { decodeMessage, encodeMessage } from '../../../src/store/cluster/message.js'
import type { Control } from '../../../src/store/cluster/message-head.js'
import { OwnerTable } from '../../../src/store/cluster/owner-table.js'
import { subjectOf } from '../../../src/store/cluster/subjects.js'
import { type CallSnapshot, type JournalEntry, settlementOf } from '../../../src/store/journal.js'
import { recordStarts } from '../../../src/store/sqlite/packet-record.js'
import { Stream } from '../../../src/store/sqlite/writing/batch.js'
import { GroupCommit } from '../../../src/store/sqlite/writing/group-commit.js'
import { Writer } from '../../../src/store/sqlite/writing/writer.js'
import { analysed } from '../../support/analysed.js'
import { callId } from '../../support/calls.js'
import { turns } from '../../support/fake-clock.js'
import { lifecycleEntry, packetEntry, pagesOf, plain, remembered, snapshot } from '../../support/journals.js'
import { randomNumbers, seed } from '../../support/property.js'
import { temporaryFolder } from '../../support/service.js'
import { change, close, openJournal } from '../../support/sqlite.js'

const names = ['a', 'b', 'c', 'd', 'e', 'f'].map(callId)
const settlement = settlementOf({ answered: () => {}, failed: () => {} }, undefined)

function openWriter(dataDir: string): Writer {
  const ignore = () => {}
  const writer = new Writer(
    { dataDir, acceptDataLoss: false, now: 0, dueWithin: {} },
    { dropped: ignore, erasing: ignore, damaged: ignore, checkpointFailed: ignore },
  )
  writer.recover()
  return writer
}

async function closeWriter(writer: Writer): Promise<void> {
  await writer.close()
  writer.end()
}

/** A node's batches as messages of the log. */
class Story {
  readonly messages: MessageInOrder[] = []
  readonly keys = new CallKeys(0)
  readonly streams = new Map<CallId, Stream>()
  control: Control[] = []
  readonly #commits = new GroupCommit({
    handOver: ({ calls, lifecycle, erasures }, records, outcome) => {
      const sequence = this.messages.length + 1
      // Whole, as it comes out of the log.
      const head = { id: `r.${sequence}`, node: 'a', run: 'r', calls, lifecycle, erasures }
      const bytes = encodeMessage({
        ...head,
        control: this.control,
        records: Buffer.from(records),
        facts: told(records),
      })
      this.messages.push({ ...decodeMessage(bytes), sequence, subject: subjectOf('a') })
      this.control = []
      outcome.committed({ type: 'committed', id: sequence, commitMs: 1, tailBytes: 0, walPages: 0 })
    },
  })

  stream(name: CallId): Stream {
    const stream = this.streams.get(name) ?? new Stream(name, this.keys.next(name), 0)
    this.streams.set(name, stream)
    return stream
  }

  append(name: CallId, entries: readonly JournalEntry[], taken: CallSnapshot | null = null): void {
    const stream = this.stream(name)
    this.#commits.append(stream, entries, stream.version === 0 ? (taken ?? snapshot()) : taken, settlement)
  }

  erase(name: CallId): void {
    this.#commits.erase(this.stream(name), settlement)
    this.streams.delete(name)
  }

  /** What was appended is a message. */
  async commit(): Promise<void> {
    const before = this.messages.length
    for (let turn = 0; this.messages.length === before && turn < 100; turn++) await turns()
    assert(this.messages.length > before, 'a batch was handed over')
    await turns()
  }
}

function told(records: ArrayBuffer) {
  const account = {
    state: 'IN_PROGRESS',
    isFirst: false,
    totalReceived: 1,
    missingCount: 0,
    skippedCount: 0,
  } as const
  return [...recordStarts(Buffer.from(records))].map(() => ({
    kind: 'accepted' as const,
    ...account,
    isLate: false,
    missing: null,
  }))
}

/** Packets, words, details, erasures, names that come again. */
async function randomStory(t: TestContext, from: number): Promise<Story> {
  t.diagnostic(`VSTEST_SEED=${seed}`)
  const random = randomNumbers(from)
  const below = (count: number) => Math.floor(random() * count)
  const story = new Story()
  const media = { encoding: 'text', sample_rate: 8000, channels: 1 } as const
  for (let step = 0; step < 80; step++) {
    for (let append = 0; append <= below(5); append++) {
      const name = names[below(names.length)] as CallId
      const { version } = story.stream(name)
      const kind = random()
      const words = { transcription: `word${below(5)} common`, sentiment: 'neutral', confidence: 1 } as const
      if (kind < 0.03 && version > 0) story.erase(name)
      else if (kind < 0.1)
        story.append(name, [{ type: 'described', at: step, details: { media, agent: `agent ${below(3)}` } }])
      else if (kind < 0.15)
        story.append(name, [await analysed(words)], snapshot({ state: 'ARCHIVED', endedAt: step }))
      else if (kind < 0.2) story.append(name, [lifecycleEntry(step)])
      else
        story.append(
          name,
          Array.from({ length: 1 + below(40) }, (_, n) => packetEntry(version + n)),
        )
    }
    await story.commit()
  }
  return story
}

/** Read by a single node. */
async function contentsOf(t: TestContext, dataDir: string) {
  const { journal } = await openJournal(t, { dataDir })
  const page = { state: null, cursor: null, limit: 100 }
  const calls = await Promise.all(
    names.map(async (name) => {
      const history = await journal.replay(name)
      const packets = history === null ? [] : await pagesOf(journal, name, 100)
      return {
        snapshot: history?.snapshot,
        version: history?.stream.version,
        entries: remembered(history?.entries ?? []),
        packets: packets.flatMap((each) => each.packets.map(plain)),
      }
    }),
  )
  const lists = [
    await journal.calls(page),
    await journal.calls({ ...page, details: [{ names: ['agent'], text: 'agent 1', isPrefix: false }] }),
    await journal.calls({ ...page, search: [{ text: 'word1', isPrefix: false }] }),
  ]
  const counts = await journal.stateCounts()
  await close(journal)
  return { calls, lists, counts }
}

test('a copy is what a single node would have stored, however messages gather and the process ends', async (t) => {
  for (const from of [1, 2]) {
    const story = await randomStory(t, from)
    const random = randomNumbers(from + 100)
    const single = temporaryFolder(t)
    let copied = temporaryFolder(t)
    const reference = openWriter(single)
    for (const [index, { records, calls, lifecycle, erasures }] of story.messages.entries()) {
      const buffer = new Uint8Array(records).buffer
      const packets = [...recordStarts(records)].length
      reference.commit({ type: 'batch', id: index + 1, records: buffer, packets, calls, lifecycle, erasures })
    }
    await closeWriter(reference)

    let writer = openWriter(copied)
    let copy = LogCopy.create(writer)
    let [restarts, at] = [0, 0]
    while (at < story.messages.length) {
      const count = 1 + Math.floor(random() ** 2 * 12)
      copy.apply(story.messages.slice(at, at + count))
      at = copy.state.sequence
      if (random() > 0.1 && at < (restarts + 1) * (story.messages.length / 3)) continue
      // A stop, and then what a kill leaves: the files of an open database.
      const left = restarts % 2 === 0 ? copied : join(temporaryFolder(t), 'image')
      if (left !== copied) cpSync(copied, left, { recursive: true })
      await closeWriter(writer)
      copied = left
      writer = openWriter(copied)
      writer.resumeErasures()
      copy = LogCopy.open(writer) as LogCopy
      assert.equal(copy.state.sequence, at, 'it goes on where it was')
      restarts++
    }
    await closeWriter(writer)
    assert(restarts > 1 && at === story.messages.length)
    assert(story.messages.some(({ erasures }) => erasures.length > 0))
    const contents = await contentsOf(t, copied)
    assert(contents.calls.some(({ packets }) => packets.length > 100))
    assert.deepEqual(contents, await contentsOf(t, single))
  }
})

test('a transaction that fails leaves neither rows nor a new position', async (t) => {
  const story = new Story()
  for (const name of names.slice(0, 3)) {
    story.append(name, [packetEntry(0)])
    await story.commit()
  }
  const [first, second, third] = story.messages as [MessageInOrder, MessageInOrder, MessageInOrder]
  // The name is taken by a call with another key.
  const [row] = first.calls
  assert(row !== undefined)
  const wrong = { ...third, calls: [{ ...row, key: row.key + 64 }] }
  const dataDir = temporaryFolder(t)
  const writer = openWriter(dataDir)
  const copy = LogCopy.create(writer)
  copy.apply([first])
  assert.throws(() => copy.apply([second, wrong]), { code: 'SQLITE_CONSTRAINT_UNIQUE' })
  assert.equal(copy.state.sequence, 1)
  assert.equal(LogCopy.open(writer)?.state.sequence, 1)
  assert.equal(writer.db.prepare('SELECT count(*) FROM calls').pluck().get(), 1)
  copy.apply([second, third])
  await closeWriter(writer)
  assert.deepEqual(
    (await contentsOf(t, dataDir)).calls.map(({ packets }) => packets.length),
    [1, 1, 1, 0, 0, 0],
  )
})

test('a name that comes again behind its erasure is another call, in one look at the log', async (t) => {
  const [name, other] = names as [CallId, CallId]
  const story = new Story()
  story.append(name, [packetEntry(0), packetEntry(1)])
  story.append(other, [packetEntry(0)])
  await story.commit()
  story.erase(name)
  story.append(other, [packetEntry(1)])
  await story.commit()
  story.append(name, [packetEntry(7)])
  await story.commit()
  const dataDir = temporaryFolder(t)
  const writer = openWriter(dataDir)
  LogCopy.create(writer).apply(story.messages)
  await closeWriter(writer)
  assert.deepEqual(
    (await contentsOf(t, dataDir)).calls
      .slice(0, 2)
      .map(({ packets }) => packets.map(({ sequence }) => sequence)),
    [[7], [0, 1]],
  )
})

test('the key of a call that has been erased is not given again, after a restart either', async (t) => {
  const [name] = names as [CallId]
  const story = new Story()
  story.append(name, [packetEntry(0)])
  const { key } = story.stream(name)
  await story.commit()
  story.erase(name)
  await story.commit()
  const dataDir = temporaryFolder(t)
  const writer = openWriter(dataDir)
  LogCopy.create(writer).apply(story.messages)
  await closeWriter(writer)
  const next = openWriter(dataDir)
  assert.equal(next.lastKey(), 0, 'nothing is left of the call')
  assert(new CallKeys(LogCopy.open(next)?.state.lastKey ?? 0).next(name) > key)
  await closeWriter(next)
})

test('owners and nodes are those of the messages, after a restart, too', async (t) => {
  const story = new Story()
  const table = new OwnerTable()
  for (const control of [
    [
      { kind: 'hello', reads: [1], url: 'http://a' },
      { kind: 'claim', from: 'a', partitions: [1] },
    ],
    [{ kind: 'grant', to: 'b', partitions: [1, 2] }],
    [{ kind: 'tick', synced: 1 }],
  ] satisfies Control[][]) {
    story.control = control
    story.append(names[0] as CallId, [packetEntry(story.messages.length)])
    await story.commit()
  }
  const claim: MessageInOrder = {
    ...(story.messages[0] as MessageInOrder),
    sequence: 4,
    id: 'r.4',
    subject: subjectOf('none'),
    control: [{ kind: 'claim', from: 'none', partitions: [0, 1, 2] }],
    calls: [],
    records: Buffer.alloc(0),
  }
  const messages = [...story.messages, claim]
  for (const message of messages) table.apply(message)
  assert.equal(table.ownerOf(2), 'a')
  const dataDir = temporaryFolder(t)
  const writer = openWriter(dataDir)
  const copy = LogCopy.create(writer)
  copy.apply(story.messages)
  copy.apply([claim])
  await closeWriter(writer)
  const next = openWriter(dataDir)
  assert.equal(LogCopy.open(next)?.state.owners, table.snapshot())
  await closeWriter(next)
})

test('a message that does not follow is refused, and a copy that does not know its place is not opened', async (t) => {
  const story = new Story()
  for (let n = 0; n < 3; n++) {
    story.append(names[0] as CallId, [packetEntry(n)])
    await story.commit()
  }
  const [first, second, third] = story.messages as [MessageInOrder, MessageInOrder, MessageInOrder]
  const dataDir = temporaryFolder(t)
  const writer = openWriter(dataDir)
  assert.equal(LogCopy.open(writer), null, 'a single node’s file is no copy')
  const copy = LogCopy.create(writer)
  assert.throws(() => LogCopy.create(writer), /log_copy already exists/)
  for (const wrong of [[second], [first, third], [first, first]])
    assert.throws(() => copy.apply(wrong), /in order, without a hole/)
  assert.equal(writer.db.prepare('SELECT count(*) FROM calls').pluck().get(), 0)
  copy.apply([first, second, third])
  await closeWriter(writer)
  change(dataDir, (db) => db.exec('UPDATE log_copy SET sequence = 2'))
  const next = openWriter(dataDir)
  assert.throws(() => LogCopy.open(next), StoredDamage)
  await closeWriter(next)
})
