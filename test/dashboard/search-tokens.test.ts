/** What is typed into the one search field, and the address that holds the whole view. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { firstQuery, type ListQuery } from '../../src/dashboard/model/call-list.js'
import { firstNeedsQuery, type NeedsQuery } from '../../src/dashboard/model/needs-query.js'
import {
  askedOf,
  matcherOfSearch,
  parseTokens,
  withoutToken,
  withToken,
} from '../../src/dashboard/model/search-tokens.js'
import {
  callsParams,
  callsQueryOf,
  needsParams,
  needsQueryOf,
} from '../../src/dashboard/model/view-address.js'
import { routeOf, viewHash } from '../../src/dashboard/route.js'
import { callRowOf } from '../support/call-views.js'

const pairs = (typed: string) => parseTokens(typed).tokens.map(({ key, text }) => `${key}=${text}`)

describe('what is typed', () => {
  test('is tokens and words, in any order', () => {
    const { tokens, words } = parseTokens('refund agent:maria  now QUEUE:"billing two" number:+49')
    assert.deepEqual(
      tokens.map(({ key, text }) => [key, text]),
      [
        ['agent', 'maria'],
        ['queue', 'billing two'],
        ['number', '+49'],
      ],
    )
    assert.equal(words, 'refund now')
  })

  test('of half a token finds as if it were not there yet', () => {
    for (const typed of ['agent:', 'agent:"', 'agent:""', 'agent: ']) {
      assert.deepEqual(pairs(typed), [], typed)
      assert.equal(parseTokens(typed).words, '', typed)
    }
    assert.deepEqual(pairs('agent:"maria l'), ['agent=maria l'])
  })

  test('that only looks like a token is words', () => {
    for (const typed of ['a:b', 'subagent:x', 'sip:a@b', 'agent'])
      assert.deepEqual(parseTokens(typed), { tokens: [], words: typed })
  })

  test('loses a token, and gets one', () => {
    const typed = 'refund agent:maria now'
    const [token] = parseTokens(typed).tokens
    assert(token !== undefined)
    assert.equal(withoutToken(typed, token), 'refund now')
    assert.equal(withToken('refund ', 'agent', 'Maria "L" Lopez'), 'refund agent:"Maria L Lopez"')
  })
})

describe('a search on the floor', () => {
  const row = callRowOf('call-77', {
    agent: 'Zoë Márquez',
    queue: 'Billing',
    caller: '+4930111',
    callee: '+44201',
    sentiment: 'negative',
  })
  const finds = (typed: string) => matcherOfSearch(parseTokens(typed))(row)

  test('finds by the beginnings of names, of numbers, of states and sentiments', () => {
    for (const typed of [
      '',
      'agent:zoe',
      'agent:marq',
      'agent:"zoë m"',
      'queue:BILL',
      'number:+4930',
      'number:+44',
      'state:prog',
      'state:in_progress',
      'sentiment:neg',
      'billing 77',
      'zoe +4930111',
    ])
      assert(finds(typed), typed)
    for (const typed of [
      'agent:oe',
      'queue:zoe',
      'number:4930',
      'state:failed',
      'sentiment:positive',
      'said:x',
    ])
      assert(!finds(typed), typed)
  })

  test('is asked of the service as it is of the page', () => {
    const asked = askedOf(parseTokens('refund agent:zoe number:+49 state:arch sentiment:neg said:"my bill"'))
    assert(asked.kind === 'understood')
    assert.equal(asked.said, 'refund "my bill"')
    assert.equal(asked.params.toString(), 'agent=zoe*&number=%2B49*&state=ARCHIVED&sentiment=negative')
    assert.equal(askedOf(parseTokens('state:nothing')).kind, 'unknown')
  })
})

describe('the address', () => {
  const query: ListQuery = {
    search: 'agent:"maria l" refund',
    scope: 'history',
    from: '2026-01-02',
    to: '2026-01-03',
    filter: 'ARCHIVED',
    lens: 'transport',
    sort: 'loss',
    isDescending: false,
  }
  const needs: NeedsQuery = { lens: 'conversations', show: 'negative', search: 'queue:billing' }

  test('holds the whole view, and nothing of the usual one', () => {
    assert.deepEqual(callsQueryOf(callsParams(query)), query)
    assert.deepEqual(needsQueryOf(needsParams(needs)), needs)
    for (const usual of [callsParams(firstQuery), needsParams(firstNeedsQuery)]) assert.equal(usual.size, 0)
    assert.deepEqual(callsQueryOf(new URLSearchParams()), firstQuery)
  })

  test('that says nonsense is the usual view', () => {
    const nonsense = new URLSearchParams('in=x&from=1.1.&show=DONE&lens=both&sort=age&order=')
    assert.deepEqual(callsQueryOf(nonsense), firstQuery)
    assert.deepEqual(needsQueryOf(nonsense), firstNeedsQuery)
  })

  test('of a call leads back to the list that it was opened from', () => {
    const hash = viewHash({ place: 'calls', callId: 'a/b?c#d' }, callsParams(query))
    const { place, callId, params } = routeOf(hash, 'needs')
    assert.deepEqual([place, callId], ['calls', 'a/b?c#d'])
    assert.deepEqual(callsQueryOf(params ?? new URLSearchParams()), query)
    assert.deepEqual(routeOf('#/call/x', 'floor'), { place: 'floor', callId: 'x', params: null })
    assert.equal(viewHash({ place: 'needs', callId: 'x' }, new URLSearchParams()), '#/call/x')
  })
})
