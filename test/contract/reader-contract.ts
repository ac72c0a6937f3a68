/** What every journal owes those who read: packets in order and in pages, calls, deadlines, counts. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Compile } from 'typebox/compile'
import { callStates } from '../../src/protocol/call-states.js'
import { type TranscriptFormat, toSrt, toText, toVtt } from '../../src/protocol/subtitles.js'
import { CallTranscript } from '../../src/protocol/transcript.js'
import type {
  DamagedCall,
  DueCall,
  DueCursor,
  PacketEntry,
  StoredCall,
  StoredPacket,
} from '../../src/store/journal.js'
import { analysed, heard } from '../support/analysed.js'
import { callId } from '../support/calls.js'
import { endedCall, longResult } from '../support/ended-calls.js'
import {
  type AnyJournal,
  append,
  erase,
  lifecycleEntry,
  packetEntry,
  pagesOf,
  plain,
  snapshot,
  storedCall,
} from '../support/journals.js'
import { randomNumbers, seed, shuffled } from '../support/property.js'
import type { OpenJournal } from './journal-contract.js'

const id = callId('c1')

/**
 * Packets 0 … count − 1 in an order in which many are late, over several commits and with reads between them: what is
 * stored in runs overlaps then.
 */
async function storedOutOfOrder(journal: AnyJournal, count: number): Promise<void> {
  const random = randomNumbers(count)
  const sequences = [...Array(count).keys()]
  const order: number[] = []
  for (let at = 0; at < count; at += 150) order.push(...shuffled(sequences.slice(at, at + 150), random))
  // Some come very late, after everything else.
  const veryLate = order.filter((_, i) => i % 97 === 0)
  const all = [...order.filter((_, i) => i % 97 !== 0), ...veryLate]
  const stream = journal.create(id)
  for (let at = 0; at < all.length; ) {
    const part = all.slice(at, at + 1 + Math.floor(random() * 120))
    await append(
      journal,
      stream,
      part.map((sequence) => packetEntry(sequence)),
      at === 0 ? snapshot() : null,
    )
    at += part.length
    if (random() < 0.3) await journal.packets(id, 0, 1)
  }
}

const kept = (key: string, text: string, attempt = 1) =>
  ({ type: 'analysis-kept', at: 1, attempt, key, text, isStep: true }) as const

export function readerContract(name: string, open: OpenJournal): void {
  describe(`${name} gives back what analyses kept`, () => {
    test('of the call alone, in order, every character of it', async (t) => {
      const { journal } = await open(t)
      const stream = await storedCall(journal, id)
      const other = await storedCall(journal, callId('c2'))
      const text = `“quoted”, "escaped" \\ \n \u0000 ünïcode 👂 ${'x'.repeat(300_000)}`
      await append(journal, stream, [kept('b', text), lifecycleEntry(1)])
      await append(journal, other, [kept('b', 'of another call')])
      await append(journal, stream, [kept('a', '{}'), kept('b', 'again')], snapshot())
      assert.deepEqual(await journal.keptOf(id), [
        { key: 'b', text },
        { key: 'a', text: '{}' },
        { key: 'b', text: 'again' },
      ])
      assert.deepEqual(await journal.keptOf(callId('unknown')), [])
      assert.equal((await journal.replay(id))?.entries.length, 0, 'and no replay reads it behind a snapshot')
    })

    test('until the call is erased', async (t) => {
      const { journal } = await open(t)
      const stream = await storedCall(journal, id)
      await append(journal, stream, [kept('a', 'said')])
      await erase(journal, stream)
      assert.deepEqual(await journal.keptOf(id), [])
      const next = await storedCall(journal, id)
      assert.deepEqual(await journal.keptOf(id), [])
      await append(journal, next, [kept('a', 'of the next call')])
      assert.deepEqual(await journal.keptOf(id), [{ key: 'a', text: 'of the next call' }])
    })
  })

  describe(`${name} gives a transcript back`, () => {
    const asker = { isGone: false }
    const note = { findings: 'failed', findings_error: 'chat: the model refused' } as const

    test('as a file in each format, and of the call alone', async (t) => {
      const { journal } = await open(t)
      await endedCall(journal, 'c1', longResult(3))
      await endedCall(journal, 'c2', { ...longResult(1), transcription: 'ünïcode 👂' })
      const read = async (format: TranscriptFormat) =>
        Buffer.from((await journal.transcript({ callId: id, format, note }, asker)) ?? []).toString()
      const { transcript, ...rest } = longResult(3)
      assert.deepEqual(JSON.parse(await read('json')), {
        call_id: 'c1',
        findings: 'done',
        ...rest,
        ...transcript,
      })
      assert.equal(await read('vtt'), toVtt(transcript?.segments ?? []))
      assert.equal(await read('srt'), toSrt(transcript?.segments ?? []))
      assert.equal(await read('text'), toText(transcript?.segments ?? []))
      const other = await journal.transcript({ callId: callId('c2'), format: 'json', note }, asker)
      assert.equal(JSON.parse(Buffer.from(other ?? []).toString()).transcription, 'ünïcode 👂')
    })

    test('and the words alone where only those are known, until their meaning is', async (t) => {
      // Guards against words that nobody can read because a model refused to say what they mean.
      const { journal } = await open(t)
      const stream = await storedCall(journal, id)
      await append(journal, stream, [await heard('Hello.')])
      const read = async () =>
        JSON.parse(
          Buffer.from(
            (await journal.transcript({ callId: id, format: 'json', note }, asker)) ?? [],
          ).toString(),
        )
      const words = await read()
      assert.deepEqual(
        [words.transcription, words.sentiment, words.findings, words.findings_error],
        ['Hello.', null, 'failed', 'chat: the model refused'],
      )
      assert.equal(words.segments.length, 1)
      assert(Compile(CallTranscript).Check(words))
      await append(journal, stream, [await analysed(longResult(2))])
      assert.equal((await read()).findings, 'done')
      assert.equal((await read()).segments.length, 2)
    })

    test('and none of a call that has none', async (t) => {
      const { journal } = await open(t)
      await storedCall(journal, id)
      assert.equal(await journal.transcript({ callId: id, format: 'json', note }, asker), null)
      assert.equal(await journal.transcript({ callId: callId('unknown'), format: 'json', note }, asker), null)
    })

    test('and no replay or row has it', async (t) => {
      // Guards against megabytes that every look at the call parses.
      const { journal } = await open(t)
      const result = longResult(2000)
      await endedCall(journal, 'c1', result)
      const bytes = JSON.stringify((await journal.call(id))?.snapshot).length
      assert(bytes < 10_000, `the row has ${bytes} bytes`)
      const stream = await storedCall(journal, callId('c2'))
      await append(journal, stream, [await analysed(result)])
      const entries = (await journal.replay(callId('c2')))?.entries ?? []
      assert.equal(entries.at(-1)?.type, 'analysed')
      assert(JSON.stringify(entries).length < 10_000, 'an entry behind the snapshot has its text')
    })
  })

  describe(`${name} gives back the calls that ended last`, () => {
    test('all of them, however long their transcripts are, the last one first', async (t) => {
      // Guards against a page that ends at a bound of bytes: of thirty calls two were shown after a restart.
      const { journal } = await open(t)
      const long = longResult(500)
      for (const [name, second] of Object.entries({ a: 3, b: 1, c: 4, d: 2 }))
        await endedCall(journal, name, long, 1_700_000_000_000 + 1000 * second)
      await storedCall(journal, callId('live'))
      assert.deepEqual((await journal.lastEnded(10)).map(String), ['c', 'a', 'd', 'b'])
      assert.deepEqual((await journal.lastEnded(2)).map(String), ['c', 'a'])
    })
  })

  describe(`${name} gives packets back`, () => {
    for (const count of [1, 63, 64, 65, 1000, 1001, 2345])
      test(`ascending and each once, ${count} that came in any order, in pages of any size`, async (t) => {
        // Guards against a page that ends where a run does, and a next page that repeats or skips a packet.
        t.diagnostic(`VSTEST_SEED=${seed}`)
        const { journal } = await open(t)
        await storedOutOfOrder(journal, count)
        const expected = [...Array(count).keys()].map((sequence) => plain(packetEntry(sequence)))
        for (const limit of count > 100 ? [64, 999, 1000] : [1, 2, 64]) {
          const pages = await pagesOf(journal, id, limit)
          assert.deepEqual(
            pages.flatMap(({ packets }) => packets.map(plain)),
            expected,
          )
          for (const [i, { packets, nextFrom }] of pages.entries()) {
            assert.equal(packets.length, Math.min(limit, count - i * limit))
            assert.equal(nextFrom, pages[i + 1]?.packets[0]?.sequence ?? null)
          }
        }
        for (const from of [0, 1, count - 1, count, count + 1, 2 ** 31 - 1]) {
          const { packets } = await journal.packets(id, from, 5)
          assert.deepEqual(packets.map(plain), expected.slice(from, from + 5), `from ${from}`)
        }
      })

    test('whatever gaps lie between them, up to the highest number', async (t) => {
      const { journal } = await open(t)
      const sequences = [5, 6, 1000, 65_536, 2 ** 31 - 2, 2 ** 31 - 1]
      await storedCall(journal, id, [...sequences].reverse())
      const first = await journal.packets(id, 0, 2)
      assert.deepEqual(
        first.packets.map(({ sequence }) => sequence),
        [5, 6],
      )
      assert.equal(first.nextFrom, 1000, 'where the next packet is')
      const all = await pagesOf(journal, id, 1, 7)
      assert.deepEqual(
        all.flatMap(({ packets }) => packets.map(({ sequence }) => sequence)),
        sequences.slice(2),
      )
    })

    test('byte for byte: one byte, many-byte characters, 32 KiB, and the numbers that came with them', async (t) => {
      const { journal } = await open(t)
      const texts = ['x', 'ünïcödé – 日本語 – 🎧', '\u007f\u0080\uffff', 'é'.repeat(16_384), ' "\\\n\t ']
      const stream = journal.create(id)
      const entries = texts.map((text, sequence) => ({
        ...packetEntry(sequence, text),
        timestamp: [0.001, 1_700_000_000.123456, 1e300, 5e-324, 2 ** 53][sequence] ?? 1,
      }))
      await append(journal, stream, entries, snapshot())
      const { packets } = await journal.packets(id, 0, 10)
      assert.deepEqual(packets.map(plain), entries.map(plain))
      assert.equal(packets[3]?.data.length, 32_768)
    })

    test('in several pages where one would be too large, and never in an empty one', async (t) => {
      const { journal } = await open(t)
      const stream = journal.create(id)
      const data = 'y'.repeat(32_768)
      await append(journal, stream, [packetEntry(0, data)], snapshot())
      await append(
        journal,
        stream,
        [...Array(100).keys()].map((i) => packetEntry(i + 1, data)),
      )
      const pages = await pagesOf(journal, id, 1000)
      for (const { packets } of pages) assert(packets.length > 0)
      const sequences = pages.flatMap(({ packets }) => packets.map(({ sequence }) => sequence))
      assert.deepEqual(sequences, [...Array(101).keys()])
    })

    test('of this call only, and none of one that is unknown', async (t) => {
      const { journal } = await open(t)
      await Promise.all(['a', 'b', 'c'].map((each, i) => storedCall(journal, callId(each), [i, i + 10])))
      const { packets } = await journal.packets(callId('b'), 0, 10)
      assert.deepEqual(
        packets.map(({ sequence }) => sequence),
        [1, 11],
      )
      assert.deepEqual((await journal.packets(callId('unknown'), 0, 10)).packets, [])
    })
  })

  describe(`${name} gives the packets of each track back`, () => {
    test('each once, in its own order, in pages of any size, as single packets and as blocks came', async (t) => {
      // Guards against a block that is read as one packet, a page that runs on into the next track, and packets that a
      // fold loses where a block meets a gap.
      t.diagnostic(`VSTEST_SEED=${seed}`)
      const { journal } = await open(t)
      const random = randomNumbers(7)
      const stream = journal.create(id)
      const expected = new Map<number, ReturnType<typeof plain>[]>([0, 1, 5].map((track) => [track, []]))
      const entries: PacketEntry[] = []
      for (const [track, packets] of expected)
        for (let sequence = track; packets.length < 700; ) {
          const count = random() < 0.4 ? 1 : 1 + Math.floor(random() * 30)
          const bytes = 1 + Math.floor(random() * 40)
          const data = Uint8Array.from({ length: count * bytes }, () => Math.floor(random() * 256))
          const first = packetEntry(sequence, data)
          entries.push({ ...first, track, count, isRaw: true })
          for (let index = 0; index < count; index++)
            packets.push(
              plain({
                ...first,
                sequence: sequence + index,
                data: data.subarray(index * bytes, (index + 1) * bytes),
              }),
            )
          sequence += count + (random() < 0.2 ? Math.floor(random() * 1000) : 0)
        }
      const order = shuffled(entries, random)
      for (let at = 0; at < order.length; at += 20)
        await append(journal, stream, order.slice(at, at + 20), at === 0 ? snapshot() : null)
      for (const [track, packets] of expected)
        for (const limit of [1, 7, 64, 1000]) {
          const found: StoredPacket[] = []
          for (let from: number | null = 0; from !== null && found.length < (limit === 1 ? 50 : 5000); ) {
            const page: Awaited<ReturnType<AnyJournal['packets']>> = await journal.packets(
              id,
              from,
              limit,
              track,
            )
            assert(page.packets.length <= limit)
            assert(page.packets.every((packet) => (packet.track ?? 0) === track && packet.isRaw === true))
            found.push(...page.packets)
            from = page.nextFrom
          }
          assert.deepEqual(found.map(plain), packets.slice(0, found.length))
          assert(found.length >= Math.min(50, packets.length))
        }
      // From the middle of a block on.
      const packets = expected.get(5) ?? []
      for (const index of [1, 17, 333, 698]) {
        const from = packets[index]?.sequence ?? 0
        const page = await journal.packets(id, from, 3, 5)
        assert.deepEqual(page.packets.map(plain), packets.slice(index, index + 3))
      }
      assert.deepEqual((await journal.packets(id, 0, 10, 3)).packets, [])
      const history = await journal.replay(id)
      const replayed = history?.entries.reduce(
        (sum, entry) => sum + (entry.type === 'packet' ? (entry.count ?? 1) : 0),
        0,
      )
      const all = [...expected.values()].reduce((sum, { length }) => sum + length, 0)
      const inSnapshot = order.slice(0, 20).reduce((sum, { count = 1 }) => sum + count, 0)
      assert.equal(replayed, all - inSnapshot)
    })
  })

  describe(`${name} lists calls`, () => {
    const states = callStates
    const ids = [...Array(23).keys()].map((i) => callId(`call-${i}`))

    async function open23(...given: Parameters<OpenJournal>) {
      const { journal } = await open(...given)
      for (const [i, each] of ids.entries())
        await storedCall(
          journal,
          each,
          [0],
          snapshot({ state: states[i % 5] ?? 'FAILED', body: `{"call":${i}}` }),
        )
      return journal
    }

    test('newest first, in pages that neither repeat nor skip', async (t) => {
      const journal = await open23(t)
      for (const state of [null, ...states])
        for (const limit of [1, 4, 5, 23, 100]) {
          const found: (StoredCall | DamagedCall)[] = []
          let cursor: number | null = null
          let pages = 0
          do {
            const page: Awaited<ReturnType<AnyJournal['calls']>> = await journal.calls({
              state,
              cursor,
              limit,
            })
            found.push(...page.calls)
            cursor = page.nextCursor
            pages++
          } while (cursor !== null)
          const expected = [...ids]
            .reverse()
            .filter((_, i) => state === null || states[(22 - i) % 5] === state)
          assert.deepEqual(
            found.map(({ callId }) => callId),
            expected,
          )
          assert.equal(pages, Math.max(1, Math.ceil(expected.length / limit)), 'no empty last page')
        }
    })

    test('with the snapshot that each was stored with last', async (t) => {
      const journal = await open23(t)
      const changed = snapshot({
        state: 'ARCHIVED',
        createdAt: 7,
        dueAt: 9,
        isSettled: true,
        body: '{"new":"✓"}',
      })
      const history = await journal.replay(ids[3] ?? id)
      assert(history)
      await append(journal, history.stream, [packetEntry(1)], {
        ...changed,
        createdAt: history.snapshot.createdAt,
      })
      const stored = await journal.call(ids[3] ?? id)
      assert.equal(stored?.callId, ids[3])
      assert.deepEqual(stored?.snapshot, { ...changed, createdAt: history.snapshot.createdAt })
      assert.equal(await journal.call(callId('unknown')), null)
    })

    test('by number for each state, those without one included', async (t) => {
      const journal = await open23(t)
      assert.deepEqual(await journal.stateCounts(), {
        IN_PROGRESS: 5,
        COMPLETED: 5,
        PROCESSING_AI: 5,
        ARCHIVED: 4,
        FAILED: 4,
      })
      const { journal: empty } = await open(t)
      assert.deepEqual(Object.values(await empty.stateCounts()), [0, 0, 0, 0, 0])
      assert.deepEqual(await empty.calls({ state: null, cursor: null, limit: 10 }), {
        calls: [],
        nextCursor: null,
      })
    })
  })

  describe(`${name} finds deadlines`, () => {
    const before: DueCursor = { dueAt: Number.NEGATIVE_INFINITY, key: 0 }

    test('earliest first, many in one millisecond, in pages that neither repeat nor skip', async (t) => {
      // Guards against paging by time alone: of 50 calls due at once, a page of 7 would lose the rest or never end.
      const { journal } = await open(t)
      const due: Record<string, number> = {}
      for (let i = 0; i < 60; i++) due[`c${i}`] = i < 5 ? 100 + i : i < 55 ? 500 : 1000 + i
      await Promise.all(
        Object.entries(due).map(([each, dueAt]) =>
          storedCall(journal, callId(each), [0], snapshot({ dueAt })),
        ),
      )
      await storedCall(journal, callId('never'), [0], snapshot({ dueAt: null }))
      for (const limit of [1, 7, 50, 59, 60, 61]) {
        const found: DueCall[] = []
        let after = before
        for (;;) {
          const page = await journal.due(after, 1059, limit)
          found.push(...page)
          if (page.length < limit) break
          after = page.at(-1) ?? after
        }
        assert.deepEqual(new Set(found.map(({ callId }) => callId)), new Set(Object.keys(due)))
        assert.equal(found.length, 60)
        assert.deepEqual(
          found.map(({ dueAt }) => dueAt),
          Object.values(due).sort((a, b) => a - b),
        )
        for (const { callId, dueAt } of found) assert.equal(dueAt, due[callId])
      }
      assert.equal((await journal.due(before, 499, 100)).length, 5)
      assert.equal((await journal.due(before, 500, 100)).length, 55, 'up to and with the last millisecond')
      assert.equal((await journal.due({ dueAt: 500, key: Number.MAX_SAFE_INTEGER }, 2000, 100)).length, 5)
    })

    test('as they were stored last', async (t) => {
      const { journal } = await open(t)
      const stream = await storedCall(journal, id, [0], snapshot({ dueAt: 100 }))
      await append(journal, stream, [], snapshot({ dueAt: 300 }))
      assert.deepEqual(await journal.due(before, 200, 10), [])
      assert.equal((await journal.due(before, 300, 10))[0]?.dueAt, 300)
      await append(journal, stream, [packetEntry(1)])
      assert.equal((await journal.due(before, 300, 10)).length, 1, 'packets leave a deadline as it is')
      await append(journal, stream, [], snapshot({ dueAt: null }))
      assert.deepEqual(await journal.due(before, Number.MAX_SAFE_INTEGER, 10), [])
    })
  })
}
