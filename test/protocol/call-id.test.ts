import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { decodeCallId, isCallId } from '../../src/protocol/call-id.js'
import { holds } from '../support/property.js'

const characters = 'ABCXYZabcxyz0189._:-'

describe('a call id', () => {
  test('is what the path says after one strict percent-decoding', async (t) => {
    const ids = fc.tuple(
      fc.string({ unit: fc.constantFrom(...characters), minLength: 1, maxLength: 128 }),
      fc.infiniteStream(fc.boolean()),
    )
    await holds(t, ids, 500, ([id, coins]) => {
      const segment = [...id]
        .map((character) =>
          coins.next().value ? `%${character.charCodeAt(0).toString(16).padStart(2, '0')}` : character,
        )
        .join('')
      if (id === '.' || id === '..') assert.throws(() => decodeCallId(segment), { code: 'invalid_call_id' })
      else assert.equal(decodeCallId(segment), id)
    })
  })

  test('has 1 to 128 characters', () => {
    for (const length of [1, 127, 128]) assert.equal(decodeCallId('x'.repeat(length)).length, length)
    for (const length of [0, 129, 5000])
      assert.throws(() => decodeCallId('x'.repeat(length)), { code: 'invalid_call_id' })
  })

  test('is refused when it is anything else, before and after the decoding', () => {
    // Guards against two names of one call, path traversal, and a decoding that is done twice.
    const segments = [
      '.',
      '..',
      '%2e',
      '%2E%2e',
      '.%2e',
      '%2541',
      '%2F',
      '%5c',
      '%00',
      '%20',
      '+',
      ' ',
      'a b',
      'ä',
      '%C3%A4',
    ]
    const malformed = ['%', '%4', '%zz', '%E0%A4%A', '%ff', 'a%', '%%41', '%u0041']
    for (const segment of [...segments, ...malformed, 'a\n', 'a/b', 'a?b', '\u0000', 'ａ'])
      assert.throws(() => decodeCallId(segment), { code: 'invalid_call_id' }, JSON.stringify(segment))
    assert.equal(decodeCallId('...'), '...')
    assert.equal(decodeCallId('a%2E.'), 'a..')
  })

  test('is refused by isCallId just so', () => {
    assert.equal(isCallId('c1'), true)
    for (const text of ['', '.', '..', 'a b', 'a\n', '%41', 'x'.repeat(129)])
      assert.equal(isCallId(text), false)
  })
})
