import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Static } from 'typebox'
import { debounceMs, TranscriptSearch } from '../../src/dashboard/feed/transcript-search.js'
import type { CallPage } from '../../src/protocol/call.js'

type Page = Static<typeof CallPage>

/** The search with a service that answers when the test says so. */
function ask(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const asked: { readonly path: string; answer(page: Page): void; refuse(error: Error): void }[] = []
  const search = new TranscriptSearch(
    (path) => new Promise((answer, refuse) => asked.push({ path, answer, refuse })),
    () => {},
  )
  const type = (...texts: readonly string[]) => {
    for (const text of texts) search.ask(text)
    t.mock.timers.tick(debounceMs)
  }
  return { search, asked, type }
}

/** Only the ids matter to the search. */
const page = (ids: readonly string[], cursor: string | null = null) =>
  ({ calls: ids.map((call_id) => ({ call_id })), next_cursor: cursor }) as unknown as Page
const settled = () => new Promise((resolve) => setImmediate(resolve))
const idsOf = ({ found }: TranscriptSearch) =>
  found.kind === 'found' ? found.calls.map(({ call_id }) => call_id) : found.kind

test('what is typed is asked once, when the typing pauses', (t) => {
  const { search, asked, type } = ask(t)
  search.ask('r')
  t.mock.timers.tick(debounceMs - 1)
  type('re', 'refund', ' refund ')
  assert.deepEqual(
    asked.map(({ path }) => path),
    ['v1/calls?q=refund&limit=50'],
  )
})

test('a slow answer to an earlier question does not replace that to the latest', async (t) => {
  const { search, asked, type } = ask(t)
  type('first')
  type('second')
  asked[1]?.answer(page(['second']))
  await settled()
  asked[0]?.answer(page(['first']))
  await settled()
  assert.deepEqual(idsOf(search), ['second'])
})

test('an emptied field asks nothing, and an answer under way is dropped', async (t) => {
  const { search, asked, type } = ask(t)
  type('refund')
  type('  ')
  asked[0]?.answer(page(['late']))
  await settled()
  assert.equal(asked.length, 1)
  assert.equal(idsOf(search), 'nothing-asked')
})

test('more goes on where the page ended, once, and keeps what is there when it fails', async (t) => {
  const { search, asked, type } = ask(t)
  type('refund')
  asked[0]?.answer(page(['a'], 'c1'))
  await settled()
  void search.more()
  void search.more()
  assert.equal(asked.length, 2, 'a second press asks nothing')
  assert.match(asked[1]?.path ?? '', /cursor=c1/)
  asked[1]?.refuse(new Error('no line'))
  await settled()
  assert(search.found.kind === 'found' && search.found.reason === 'no line')
  void search.more()
  asked[2]?.answer(page(['b']))
  await settled()
  assert.deepEqual(idsOf(search), ['a', 'b'])
  assert(search.found.kind === 'found' && search.found.cursor === null && search.found.reason === null)
})

test('a search that the service does not understand says why; one that fails can be made again', async (t) => {
  const { search, asked, type } = ask(t)
  type('*')
  asked[0]?.refuse(Object.assign(new Error('q has no word to search for'), { status: 422 }))
  await settled()
  assert.deepEqual(search.found, { kind: 'not-understood', reason: 'the search has no word to search for' })
  type('refund')
  asked[1]?.refuse(Object.assign(new Error('overloaded'), { status: 503 }))
  await settled()
  assert.equal(idsOf(search), 'failed')
  search.retryNow()
  asked[2]?.answer(page(['a']))
  await settled()
  assert.deepEqual(idsOf(search), ['a'])
})
