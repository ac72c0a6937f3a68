/** The oracle itself: it reports what a provider must not see, and nothing where all is well. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { State } from './lifecycle-oracle.js'
import { countLostResults, judgeProvider, type ProviderLine } from './provider-account.js'

const request = (call: string, attempt: number, key = `key of ${call}`): ProviderLine => ({
  is: 'request',
  call,
  key,
  attempt,
})
const answer = (call: string, attempt: number, isResult: boolean): ProviderLine => ({
  is: 'answer',
  call,
  attempt,
  isResult,
})
const ended = (...ends: readonly [string, State][]) => new Map(ends)
const kinds = (account: readonly ProviderLine[], ends = ended()) =>
  judgeProvider(account, ends, 5).map(({ kind }) => kind)

test('a call that was analysed at its third attempt, the second of which a kill broke off, is not reported', () => {
  const account = [
    request('c1', 1),
    answer('c1', 1, false),
    request('c1', 2),
    request('c1', 3),
    answer('c1', 3, true),
  ]
  assert.deepEqual(kinds(account, ended(['c1', 'ARCHIVED'])), [])
  assert.equal(countLostResults(account, ended(['c1', 'ARCHIVED'])), 0)
})

test('a sixth request is reported', () => {
  assert.deepEqual(kinds([1, 2, 3, 4, 5, 6].map((attempt) => request('c1', attempt))), ['too-many-requests'])
})

test('an attempt that was asked for twice is reported', () => {
  assert.deepEqual(kinds([request('c1', 1), request('c1', 1)]), ['attempt-repeated'])
})

test('a key that changes, or that two calls have, is reported', () => {
  assert.deepEqual(kinds([request('c1', 1), request('c1', 2, 'another')]), ['changing-key'])
  assert.deepEqual(kinds([request('c1', 1, 'same'), request('c2', 1, 'same')]), ['shared-key'])
})

test('a call that was archived without a result is reported', () => {
  const account = [request('c1', 1), answer('c1', 1, false)]
  assert.deepEqual(kinds(account, ended(['c1', 'ARCHIVED'])), ['made-up-result'])
  assert.deepEqual(kinds(account, ended(['c1', 'FAILED'])), [])
})

test('a result after which the call was analysed again, or failed, is counted as lost', () => {
  const again = [request('c1', 1), answer('c1', 1, true), request('c1', 2), answer('c1', 2, true)]
  assert.equal(countLostResults(again, ended(['c1', 'ARCHIVED'])), 1)
  assert.equal(countLostResults([request('c1', 5), answer('c1', 5, true)], ended(['c1', 'FAILED'])), 1)
})
