import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { Compile } from 'typebox/compile'
import { decodeCallId, isCallId } from '../../src/protocol/call-id.js'
import { CallIdText } from '../../src/protocol/packet.js'
import { callIdTexts, isCallIdText, sipCallIds, wordCharacters } from '../support/call-id-texts.js'
import { holds } from '../support/property.js'

const schema = Compile(CallIdText)

describe('a call id', () => {
  test('is what the path says after one strict percent-decoding', async (t) => {
    const ids = fc.tuple(callIdTexts, fc.infiniteStream(fc.boolean()))
    let escapes = 0
    await holds(t, ids, 500, ([id, coins]) => {
      const segment = [...id]
        .map((character) => {
          if (character !== '%' && !coins.next().value) return character
          escapes++
          return `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`
        })
        .join('')
      assert.equal(decodeCallId(segment), id)
      assert.equal(decodeCallId(encodeURIComponent(id)), id)
    })
    assert(escapes > 0)
  })

  test('is what RFC 3261 allows in a Call-ID, in the schema, too', async (t) => {
    const near = fc.string({
      unit: fc.constantFrom(...wordCharacters, ...'@@@..//#,;=&$^| \n\u0000é'),
      maxLength: 12,
    })
    const counts = { taken: 0, refused: 0 }
    await holds(t, fc.oneof(near, callIdTexts), 3000, (text) => {
      const expected = isCallIdText(text)
      counts[expected ? 'taken' : 'refused']++
      assert.equal(isCallId(text), expected, JSON.stringify(text))
      assert.equal(schema.Check(text), expected, JSON.stringify(text))
    })
    assert(counts.taken > 500 && counts.refused > 500, JSON.stringify(counts))
    for (const text of sipCallIds) assert(isCallId(text), text)
    for (let code = 0; code < 0x180; code++) {
      const character = String.fromCharCode(code)
      assert.equal(
        isCallId(`a${character}b`),
        wordCharacters.includes(character) || character === '@',
        character,
      )
    }
  })

  test('has 1 to 255 characters', () => {
    for (const length of [1, 254, 255]) assert.equal(decodeCallId('x'.repeat(length)).length, length)
    assert.equal(decodeCallId('%78'.repeat(255)).length, 255)
    for (const length of [0, 256, 5000]) {
      assert.throws(() => decodeCallId('x'.repeat(length)), { code: 'invalid_call_id' })
      assert.equal(schema.Check('x'.repeat(length)), false)
    }
  })

  test('is refused when it is anything else, before and after the decoding', () => {
    // Guards against two names of one call, path traversal, and a decoding that is done twice.
    const segments = ['.', '..', '%2e', '%2E%2e', '.%2e', '..%2Fa', 'a%2F..%2Fb', 'a%2F.', '%2F..', '%2F.%2F']
    const others = [
      '%00',
      '%20',
      ' ',
      'a b',
      'ä',
      '%C3%A4',
      '@',
      'a@',
      '@b',
      'a@b@c',
      'a%40b%40c',
      'a,b',
      'a;b',
      'a%23b',
    ]
    const malformed = ['%', '%4', '%zz', '%E0%A4%A', '%ff', 'a%', '%%41', '%u0041']
    for (const segment of [...segments, ...others, ...malformed, 'a\n', 'a%0A', '\u0000', 'ａ'])
      assert.throws(() => decodeCallId(segment), { code: 'invalid_call_id' }, JSON.stringify(segment))
    assert.equal(decodeCallId('...'), '...')
    assert.equal(decodeCallId('a%2E.'), 'a..')
    assert.equal(decodeCallId('%2541'), '%41')
    assert.equal(decodeCallId('a%2F...%2F.b'), 'a/.../.b')
  })
})
