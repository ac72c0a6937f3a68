/**
 * Turns, and what a chat model is shown of a long call. Guards against a mono call that is one turn, of which the model is shown
 * the beginning alone, cut inside a JSON string, so that how the call ends is never judged.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { turnsText } from '../../src/analysis/providers/openai/conversation.js'
import { plainText, turnsOf } from '../../src/analysis/transcript.js'
import { limits } from '../../src/limits.js'
import type { TranscriptSegment } from '../../src/protocol/analysis.js'

const said = (start: number, text: string, channel = 0): TranscriptSegment => ({
  start,
  end: start + 1,
  channel,
  text,
  confidence: null,
  coverage: 1,
})
/** One side, without a pause. */
const monologue = (count: number, text = (n: number) => `Sentence ${n} of a long call.`) =>
  Array.from({ length: count }, (_, n) => said(n, text(n)))

describe('turns', () => {
  test('end where the other side speaks, at a pause, and after a paragraph', () => {
    const segments = [
      said(0, 'Hello.'),
      said(1, 'This is Ann.'),
      said(2, 'Hi.', 1),
      said(3, 'I call about my bill.'),
      said(5.9, 'Are you there?'),
      said(9, 'Hello?'),
      ...monologue(3, () => 'a'.repeat(240)).map((segment) => ({ ...segment, start: 10, end: 10 })),
    ]
    assert.deepEqual(
      turnsOf(segments).map(({ segments: { first_segment, last_segment } }) => [first_segment, last_segment]),
      [
        [0, 1],
        [2, 2],
        [3, 4],
        [5, 7],
        [8, 8],
      ],
    )
    assert.equal(turnsOf(segments)[0]?.text, 'Hello. This is Ann.')
  })

  test('hold every word once, in order, and are bounded, however long a segment is', () => {
    for (const text of [
      'word '.repeat(3000).trim(),
      'x'.repeat(3001),
      '😀'.repeat(1501),
      'a'.repeat(500),
      '',
    ]) {
      const turns = turnsOf([said(0, 'First.'), said(1, text), said(2, 'Last.')])
      assert.equal(
        turns
          .map((turn) => turn.text)
          .join('')
          .replace(/ /g, ''),
        `First.${text}Last.`.replace(/ /g, ''),
      )
      for (const turn of turns) {
        assert(turn.text.length <= limits.turnCharactersMax, `${turn.text.length}`)
        assert.doesNotMatch(turn.text, /\p{Surrogate}/u)
      }
    }
  })

  test('are lines of the plain text', () => {
    assert.equal(plainText([said(0, 'Hello.'), said(9, 'Bye.')]), 'Hello.\nBye.')
  })
})

describe('what a chat model is shown', () => {
  test('is a long call’s beginning and end, in whole lines, whoever speaks', () => {
    const segments = monologue(1500, (n) => `Sentence ${n}, which says ${'much '.repeat(8)}.`)
    const text = turnsText(turnsOf(segments), limits.chatCharactersMax)
    assert(
      text.length <= limits.chatCharactersMax && text.length > limits.chatCharactersMax * 0.9,
      `${text.length}`,
    )
    const lines = text
      .split('\n')
      .map((line) => JSON.parse(line) as { turn?: number; text?: string; note?: string })
    assert.match(lines[0]?.text ?? '', /^Sentence 0,/)
    assert.match(lines.at(-1)?.text ?? '', /Sentence 1499,/)
    assert.equal(lines.filter(({ note }) => note !== undefined).length, 1)
    const numbers = lines.flatMap(({ turn }) => (turn === undefined ? [] : [turn]))
    assert.deepEqual(
      numbers,
      numbers.toSorted((a, b) => a - b),
    )
    assert.equal(
      numbers.length + Number(/^\d+/.exec(lines.find(({ note }) => note)?.note ?? '')),
      turnsOf(segments).length,
    )
  })

  test('is all of a call that has room, to the last character', () => {
    const turns = turnsOf(monologue(20))
    const all = turnsText(turns, limits.chatCharactersMax)
    assert.equal(turnsText(turns, all.length + 1), all)
    assert.notEqual(turnsText(turns, all.length), all)
    assert(!all.includes('left out'))
  })

  test('takes time that grows with the call, not with its square', () => {
    // Guards against 225 ms of the loop for 20,000 turns.
    const turns = (count: number) =>
      turnsOf(Array.from({ length: count }, (_, n) => said(n, `Sentence ${n}, said by somebody.`, n % 2)))
    const best = (count: number) => {
      const shown = turns(count)
      return Math.min(
        ...Array.from({ length: 7 }, () => {
          const begun = performance.now()
          turnsText(shown, limits.chatCharactersMax)
          return performance.now() - begun
        }),
      )
    }
    best(20_000)
    const [some, many] = [best(2000), best(20_000)]
    assert(many < 40 * some, `${some} ms for 2,000 turns, ${many} for 20,000`)
  })
})
