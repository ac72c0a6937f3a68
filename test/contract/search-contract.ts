/** What every journal owes those who look for calls by what was said of them, and in them. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { limits } from '../../src/limits.js'
import type { DetailFilter } from '../../src/protocol/call-details.js'
import type { CallDetails } from '../../src/protocol/media.js'
import { textMedia } from '../../src/protocol/media.js'
import { parseSearch } from '../../src/protocol/search.js'
import type { CallQuery, LifecycleEntry } from '../../src/store/journal.js'
import { analysed, heard } from '../support/analysed.js'
import { callId } from '../support/calls.js'
import { type AnyJournal, append, erase, packetEntry, snapshot, storedCall } from '../support/journals.js'
import type { OpenJournal } from './journal-contract.js'

const at = 1_700_000_000_000
const spoken = (transcription: string) => analysed({ transcription, sentiment: 'neutral', confidence: 1 }, at)
const described = (details: Omit<CallDetails, 'media'>): LifecycleEntry => ({
  type: 'described',
  at,
  details: { media: textMedia, ...details },
})

async function stored(journal: AnyJournal, name: string, entries: readonly LifecycleEntry[]) {
  const stream = journal.create(callId(name))
  await append(journal, stream, [packetEntry(0)], snapshot({ state: 'ARCHIVED' }))
  for (const entry of entries) await append(journal, stream, [entry])
  return stream
}

/** Of a text, or of its beginning where it ends in a star. */
function filterOf(name: string | readonly string[], text: string): DetailFilter {
  const isPrefix = text.endsWith('*')
  return { names: [name].flat(), text: isPrefix ? text.slice(0, -1) : text, isPrefix }
}

/** Names of all that fit, page by page. */
async function names(journal: AnyJournal, query: Partial<CallQuery>, limit = 2): Promise<string[]> {
  const found: string[] = []
  let cursor: number | null = null
  do {
    const page: Awaited<ReturnType<AnyJournal['calls']>> = await journal.calls({
      state: null,
      ...query,
      cursor,
      limit,
    })
    found.push(...page.calls.map(({ callId: name }) => String(name)))
    cursor = page.nextCursor
  } while (cursor !== null)
  return found
}

const said = (journal: AnyJournal, text: string, query: Partial<CallQuery> = {}) =>
  names(journal, { search: parseSearch(text), ...query })

export function searchContract(name: string, open: OpenJournal): void {
  describe(`${name} finds calls`, () => {
    test('by words whose meaning is not known, and once only when it is', async (t) => {
      // Guards against words that stay in the index when others take their place.
      const { journal } = await open(t)
      const stream = await stored(journal, 'a', [await heard('My first invoice is wrong.', at)])
      await stored(journal, 'b', [await heard('Another invoice.', at), await heard('Another invoice.', at)])
      assert.deepEqual(await said(journal, 'invoice'), ['b', 'a'])
      assert.deepEqual(await said(journal, 'first'), ['a'])
      await append(journal, stream, [await spoken('My second invoice is wrong.')])
      assert.deepEqual(await said(journal, 'first'), [])
      assert.deepEqual(await said(journal, 'invoice'), ['b', 'a'])
      await erase(journal, stream)
      assert.deepEqual(await said(journal, 'second'), [])
      assert.deepEqual(await said(journal, 'invoice'), ['b'])
    })

    test('by what was said of them last, all of it together, newest first in exact pages', async (t) => {
      const { journal } = await open(t)
      for (let i = 0; i < 9; i++)
        await stored(journal, `c${i}`, [
          described({ agent: 'other' }),
          described({ agent: i % 2 === 0 ? 'maria' : 'jo', queue: `q${i % 3}`, metadata: { 'x.y': `${i}` } }),
        ])
      await storedCall(journal, callId('undescribed'))
      const by = (details: Record<string, string>, query: Partial<CallQuery> = {}) =>
        names(journal, {
          details: Object.entries(details).map(([key, text]) => filterOf(key, text)),
          ...query,
        })
      assert.deepEqual(await by({ agent: 'maria' }), ['c8', 'c6', 'c4', 'c2', 'c0'])
      assert.deepEqual(await by({ agent: 'maria', queue: 'q0' }), ['c6', 'c0'])
      assert.deepEqual(await by({ queue: 'q0', agent: 'jo' }), ['c3'])
      assert.deepEqual(await by({ 'meta.x.y': '5' }), ['c5'])
      assert.deepEqual(await by({ agent: 'other' }), [])
      assert.deepEqual(await by({ agent: 'maria' }, { state: 'FAILED' }), [])
      assert.deepEqual(await by({ agent: 'Maria' }), [])
    })

    test('by the beginning of a name, or of a word of it, whatever case and accents', async (t) => {
      const { journal } = await open(t)
      for (const [i, agent] of ['Maria Lopez', 'marian.levi', 'Zoë Márquez', 'Amaria'].entries())
        await stored(journal, `c${i}`, [described({ agent, queue: 'Billing', metadata: { tenant: agent } })])
      const by = (name: string, text: string) => names(journal, { details: [filterOf(name, text)] })
      assert.deepEqual(await by('agent', 'mar*'), ['c2', 'c1', 'c0'])
      assert.deepEqual(await by('agent', 'MARIA L*'), ['c0'])
      assert.deepEqual(await by('agent', 'zoe*'), ['c2'])
      assert.deepEqual(await by('agent', 'levi*'), ['c1'])
      assert.deepEqual(await by('queue', 'b*'), ['c3', 'c2', 'c1', 'c0'])
      assert.deepEqual(await by('meta.tenant', 'Mar*'), ['c0'], 'of others as they are written')
      assert.deepEqual(await by('agent', 'nobody*'), [])
    })

    test('by a number of either side, or its beginning', async (t) => {
      const { journal } = await open(t)
      for (const [i, [caller, callee]] of [
        ['+49301', '+44201'],
        ['+44202', '+49302'],
        ['+49303', '+49303'],
        ['+15551', '+44201'],
      ].entries())
        await stored(journal, `c${i}`, [described({ caller: `${caller}`, callee: `${callee}` })])
      const by = (text: string) => names(journal, { details: [filterOf(['caller', 'callee'], text)] })
      assert.deepEqual(await by('+4930*'), ['c2', 'c1', 'c0'])
      assert.deepEqual(await by('+44201'), ['c3', 'c0'])
      assert.deepEqual(await by('+4*'), ['c3', 'c2', 'c1', 'c0'])
      assert.deepEqual(await by('+7*'), [])
    })

    test('by their sentiment, which is that of the last analysis', async (t) => {
      const { journal } = await open(t)
      const felt = (sentiment: 'negative' | 'positive') =>
        analysed({ transcription: 'words', sentiment, confidence: 1 }, at)
      const stream = await stored(journal, 'a', [described({ agent: 'maria' }), await felt('negative')])
      await stored(journal, 'b', [await felt('positive')])
      const by = (text: string) => names(journal, { details: [filterOf('sentiment', text)] })
      assert.deepEqual([await by('negative'), await by('positive')], [['a'], ['b']])
      await append(journal, stream, [await heard('words', at)])
      assert.deepEqual(await by('negative'), [], 'its meaning is not known any more')
      await append(journal, stream, [await felt('positive')])
      assert.deepEqual(await by('positive'), ['b', 'a'])
      await append(journal, stream, [described({ agent: 'jo' })])
      assert.deepEqual(await by('positive'), ['b', 'a'], 'what is said later takes nothing from it')
      await erase(journal, stream)
      assert.deepEqual(await by('positive'), ['b'])
    })

    test('by the time of their creation, in either order, in exact pages', async (t) => {
      const { journal } = await open(t)
      const hour = 3_600_000
      for (let i = 0; i < 9; i++) {
        const stream = journal.create(callId(`c${i}`))
        await append(journal, stream, [packetEntry(0)], snapshot({ createdAt: at + i * hour }))
        await append(journal, stream, [described({ agent: i % 2 === 0 ? 'maria' : 'jo' })])
      }
      const between = (first: number | null, end: number | null, query: Partial<CallQuery> = {}) =>
        names(journal, {
          from: first === null ? null : at + first * hour,
          before: end === null ? null : at + end * hour,
          ...query,
        })
      assert.deepEqual(await between(2, 6), ['c5', 'c4', 'c3', 'c2'])
      assert.deepEqual(await between(2, 6, { order: 'oldest' }), ['c2', 'c3', 'c4', 'c5'])
      assert.deepEqual(await between(7, null), ['c8', 'c7'])
      assert.deepEqual(await between(null, 2), ['c1', 'c0'])
      assert.deepEqual(
        await between(null, null, { order: 'oldest' }),
        [...Array(9).keys()].map((i) => `c${i}`),
      )
      assert.deepEqual(await between(2.0001, 2.9), [])
      assert.deepEqual(await between(20, null), [])
      assert.deepEqual(await between(null, 0), [])
      const marias = { details: [filterOf('agent', 'mar*')] }
      assert.deepEqual(await between(1, 7, marias), ['c6', 'c4', 'c2'])
      assert.deepEqual(await between(1, 7, { ...marias, order: 'oldest' }), ['c2', 'c4', 'c6'])
    })

    test('also where the clock was set back a little in between', async (t) => {
      // Guards against a range of keys that ends where the first time behind it stands.
      const { journal } = await open(t)
      const minutes = [0, 10, 20, 18, 19, 30]
      for (const [i, minute] of minutes.entries())
        await append(
          journal,
          journal.create(callId(`c${i}`)),
          [packetEntry(0)],
          snapshot({ createdAt: at + minute * 60_000 }),
        )
      const before = at + 20 * 60_000
      assert.deepEqual(await names(journal, { before }), ['c4', 'c3', 'c1', 'c0'])
      assert.deepEqual(await names(journal, { from: before }), ['c5', 'c2'])
    })

    test('by words, phrases and prefixes of their transcripts, whatever case and accents', async (t) => {
      const { journal } = await open(t)
      await stored(journal, 'a', [await spoken('My invoice is wrong, and nobody refunds me.')])
      await stored(journal, 'b', [await spoken('The Rechnung für Zoë: invoice number forty-two.')])
      await stored(journal, 'c', [await spoken('wrong number')])
      await stored(journal, 'd', [await spoken('')])
      assert.deepEqual(await said(journal, 'invoice'), ['b', 'a'])
      assert.deepEqual(await said(journal, 'INVOICE wrong'), ['a'])
      assert.deepEqual(await said(journal, '"invoice number"'), ['b'])
      assert.deepEqual(await said(journal, '"number invoice"'), [])
      assert.deepEqual(await said(journal, 'refun*'), ['a'])
      assert.deepEqual(await said(journal, 'refun'), [])
      assert.deepEqual(await said(journal, 'zoe fur'), ['b'])
      assert.deepEqual(await said(journal, 'forty-two'), ['b'])
      assert.deepEqual(await said(journal, '"wrong num"*'), ['c'])
      assert.deepEqual(await said(journal, 'number', { state: 'FAILED' }), [])
    })

    test('and takes operators of the index as words', async (t) => {
      // Guards against a query language that is reached from outside: errors, other columns, all of the calls.
      const { journal } = await open(t)
      await stored(journal, 'a', [await spoken('yes or no')])
      await stored(journal, 'b', [await spoken('text near a: b')])
      for (const text of [
        'yes OR absent',
        'NOT absent',
        'yes AND',
        'a NEAR absent',
        '{text} : yes',
        '-yes +absent',
      ])
        assert.deepEqual(await said(journal, text), [], text)
      for (const text of ['yes OR no', '(yes)', 'yes)', "'no'", '^yes', 'yes;', 'yes\\', '+no'])
        assert.deepEqual(await said(journal, text), ['a'], text)
      assert.deepEqual(await said(journal, 'text:'), ['b'])
    })

    test('and shows where: parts of the transcript that tell what was found, and are text whatever it holds', async (t) => {
      const { journal } = await open(t)
      const hostile = '<b>find</b> \u0001me\u0002 "find" '
      await stored(journal, 'a', [await spoken(hostile)])
      const { calls } = await journal.calls({
        state: null,
        search: parseSearch('find'),
        cursor: null,
        limit: 5,
      })
      const [found] = calls
      const match = found?.snapshot == null ? [] : (found.match ?? [])
      assert.deepEqual(
        match.filter(({ found }) => found).map(({ text }) => text),
        ['find', 'find'],
      )
      assert(hostile.includes(match.map(({ text }) => text).join('')))
      const { calls: all } = await journal.calls({ state: null, cursor: null, limit: 5 })
      assert.equal('match' in (all[0] ?? {}), false)
    })

    test('in the first part of a long transcript, to the last of its words', async (t) => {
      // Guards against a transcript of 1 MiB that holds every commit behind it while all of it is indexed, and against
      // a shorter part than is promised.
      const { journal } = await open(t)
      const inside = `${'ä b '.repeat(limits.indexedCharactersMax / 4 - 2)}inside`.padEnd(
        limits.indexedCharactersMax,
      )
      await stored(journal, 'a', [await spoken(`${inside} outside`)])
      await stored(journal, 'b', [await spoken('short, and outside')])
      assert.deepEqual(await said(journal, 'inside'), ['a'])
      assert.deepEqual(await said(journal, 'outside'), ['b'])
    })

    test('no longer once they are erased', async (t) => {
      const { journal } = await open(t)
      const stream = await stored(journal, 'a', [described({ agent: 'maria' }), await spoken('canary')])
      await stored(journal, 'b', [described({ agent: 'maria' }), await spoken('canary')])
      await erase(journal, stream)
      assert.deepEqual(await said(journal, 'canary'), ['b'])
      assert.deepEqual(await names(journal, { details: [filterOf('agent', 'maria')] }), ['b'])
      await stored(journal, 'a', [await spoken('another')])
      assert.deepEqual(await said(journal, 'canary'), ['b'])
      assert.deepEqual(await said(journal, 'another'), ['a'])
    })
  })
}
