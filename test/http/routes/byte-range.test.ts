/** `Range` headers: what players and strangers send. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readRange } from '../../../src/http/routes/byte-range.js'

test('one range of bytes is taken as RFC 9110 says', () => {
  assert.deepEqual(readRange('bytes=0-0', 100), { first: 0, last: 0 })
  assert.deepEqual(readRange('bytes=10-', 100), { first: 10, last: 99 })
  assert.deepEqual(readRange('bytes=90-200', 100), { first: 90, last: 99 })
  assert.deepEqual(readRange('bytes=-10', 100), { first: 90, last: 99 })
  assert.deepEqual(readRange('bytes=-1000', 100), { first: 0, last: 99 })
})

test('a range behind the end cannot be had', () => {
  assert.equal(readRange('bytes=100-', 100), 'unsatisfiable')
  assert.equal(readRange('bytes=-0', 100), 'unsatisfiable')
})

test('anything else is the whole', () => {
  for (const header of [
    null,
    '',
    'bytes',
    'bytes=',
    'bytes=-',
    'bytes=5-4',
    'bytes=0-1,3-4',
    'frames=0-1',
    'bytes=a-b',
    'bytes=0-9999999999999999',
  ])
    assert.equal(readRange(header, 100), null, String(header))
})
