import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { VoiceStreamError } from '../../src/errors.js'
import { parseSearch } from '../../src/protocol/search.js'

describe('a search', () => {
  test('is read as words, phrases and prefixes', () => {
    const read = (text: string) =>
      parseSearch(text).map(({ text: term, isPrefix }) => (isPrefix ? `${term}…` : term))
    assert.deepEqual(read('one  two'), ['one', 'two'])
    assert.deepEqual(read('"one two" three*'), ['one two', 'three…'])
    assert.deepEqual(read('"one two"* x"y z"'), ['one two…', 'x', 'y z'])
    assert.deepEqual(read('abc* - ! b'), ['abc…', 'b'])
    assert.deepEqual(read('AND oral* ("x")'), ['AND', 'oral…', 'x'])
    assert.deepEqual(read('日本語* été'), ['日本語…', 'été'])
  })

  test('that cannot be understood, or would cost too much, is refused with a reason', () => {
    for (const [text, reason] of [
      ['', /no word/],
      ['  * "" ! ', /no word/],
      ['say "hello', /closing quotation mark/],
      ['ab*', /less than 3/],
      ['"long a"*', /less than 3/],
      ['a..*', /less than 3/],
      ['"long a --"*', /less than 3/],
      ['x'.repeat(257), /at most 256/],
      ['w '.repeat(17), /at most 16/],
      ['a\u0000b', /control/],
      ['\ud800', /surrogate/],
    ] as const)
      assert.throws(
        () => parseSearch(text),
        (error) =>
          error instanceof VoiceStreamError &&
          error.code === 'schema_violation' &&
          reason.test(error.message),
        JSON.stringify(text),
      )
  })
})
