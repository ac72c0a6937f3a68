/** What a page of calls costs beside the page itself. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Exchange } from '../../src/http/exchange.js'
import { callRoutes } from '../../src/http/routes/calls.js'
import { Calls, callId } from '../support/calls.js'

test('a page of stored calls is made of what the page has read of them', async () => {
  // Guards against asking for each call of the page once more: 50 rows, each with a transcript, read and copied twice.
  const calls = new Calls()
  for (const name of ['stored', 'another']) {
    await calls.bring(callId(name), 'ARCHIVED')
  }
  await calls.fallSilent()
  await calls.bring(callId('live'), 'IN_PROGRESS')
  const asked: string[] = []
  const { call } = calls.journal
  calls.journal.call = (id) => {
    asked.push(id)
    return call.call(calls.journal, id)
  }
  const routes = callRoutes({
    registry: calls.registry,
    reader: calls.journal,
    waitingFor: () => null,
    listenersOf: () => null,
    assertUnmasked: () => {},
    heard: () => Promise.resolve(null),
    now: () => 0,
  })
  const route = routes.find(({ path }) => path === '/v1/calls')
  assert(route?.method === 'GET')
  let body: unknown
  const exchange = {
    search: new URLSearchParams(),
    query: () => undefined,
    json: (answer: unknown) => {
      body = answer
    },
  }
  // What the route touches of one.
  await route.answer(exchange as unknown as Exchange)
  const views = await Promise.all(['live', 'another', 'stored'].map((name) => calls.view(callId(name))))
  assert.deepEqual(body, { calls: views, next_cursor: null })
  assert.deepEqual(asked, ['another', 'stored'])
})
