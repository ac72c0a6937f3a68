/**
 * What redaction finds, over generated sentences in eight languages, six kinds, six ways of saying digits and six scripts, cut
 * into segments and voices at every place. Guards against a number that comes through because of how it was said: by words, in
 * groups, with "double", over a pause, or with somebody else's words in the middle. `REDACTION_REPORT=1` prints the table of
 * docs/redaction.md.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { redactionRules } from '../../src/redaction/kinds.js'
import { redact, type Said } from '../../src/redaction/redact.js'
import {
  addressSentence,
  harmlessSentences,
  interjections,
  type Language,
  languages,
  numberSentence,
  type Random,
  randomOf,
  type Secret,
  type SpokenWord,
  secrets,
  varied,
} from './spoken-calls.js'

const rules = new Set(redactionRules)
const sentencesOfKind = 24

const isShown = process.env['REDACTION_REPORT'] !== undefined

describe('what is found', () => {
  for (const language of languages)
    test(`${language}: at least 995 of 1,000 numbers, cut at every place`, () => {
      let all = 0
      const leaks: string[] = []
      for (const secret of secrets)
        for (let seed = 0; seed < sentencesOfKind; seed++) {
          const random = randomOf(seed * 64 + languages.indexOf(language) * 8 + secrets.indexOf(secret))
          const words = sentenceOf(language, secret, random)
          for (const said of cuts(words, language, secret, random)) {
            all++
            const shown = redact(said.map(segment), { rules, isOpen: false }).map(({ text }) => text)
            if (leaksIn(shown, said))
              leaks.push(`${secret}: ${said.map(textOf).join(' | ')} → ${shown.join(' | ')}`)
          }
        }
      assert(all > 2000, `${all} sentences`)
      const recall = 1 - leaks.length / all
      if (isShown) console.log(`${language}: ${(recall * 100).toFixed(2)} % of ${all}`)
      assert(recall >= 0.995, `${leaks.length} of ${all} leak, such as\n${leaks.slice(0, 12).join('\n')}`)
    })
})

describe('what is left alone', () => {
  test('at least 98 of 100 sentences with dates, prices, times and orders', () => {
    const changed: string[] = []
    let all = 0
    for (const language of languages)
      for (const sentence of harmlessSentences(language))
        for (let seed = 0; seed < 20; seed++) {
          const text = seed === 0 ? sentence : varied(sentence, randomOf(seed))
          const [shown] = redact([{ text, start: 0, end: 5 }], { rules, isOpen: false })
          all++
          if (shown?.text !== text) changed.push(`${text} → ${shown?.text}`)
        }
    assert(all > 1000, `${all} sentences`)
    const precision = 1 - changed.length / all
    if (isShown) console.log(`left alone: ${(precision * 100).toFixed(2)} % of ${all}`)
    assert(
      precision >= 0.98,
      `${changed.length} of ${all} are changed, such as\n${changed.slice(0, 8).join('\n')}`,
    )
  })
})

function sentenceOf(language: Language, secret: Secret, random: Random): readonly SpokenWord[] {
  return secret === 'email'
    ? addressSentence(language, random)
    : numberSentence(language, secret, random).words
}

type Cut = readonly (readonly SpokenWord[])[]

/** Whole, and cut before each word; at every other place somebody says something in between. An address is not cut by others' words. */
function* cuts(
  words: readonly SpokenWord[],
  language: Language,
  secret: Secret,
  random: Random,
): Generator<Cut> {
  yield [words]
  for (let at = 1; at < words.length; at++) {
    yield [words.slice(0, at), words.slice(at)]
    if (secret === 'email' || at % 2 === 0 || !mayBeInterrupted(words, at)) continue
    const between = random
      .pick(interjections[language])
      .split(' ')
      .map((text) => ({ text, isSecret: false }))
    yield random.below(2) === 0
      ? [words.slice(0, at), between, words.slice(at)]
      : [[...words.slice(0, at), ...between, ...words.slice(at)]]
  }
}

/** In the middle of a number of two words nobody says anything, and with less than three digits on one side it is not read out. */
function mayBeInterrupted(words: readonly SpokenWord[], at: number): boolean {
  const sides = [words.slice(0, at), words.slice(at)].map(
    (side) => side.filter(({ isSecret }) => isSecret).length,
  )
  return sides.every((count) => count >= 3)
}

function segment(words: readonly SpokenWord[], index: number): Said {
  return { text: textOf(words), start: index * 4, end: index * 4 + 3 }
}

function textOf(words: readonly SpokenWord[]): string {
  return words.map(({ text }) => text).join(' ')
}

/** What is shown, without masks, is words that are no secret, in their order. */
function leaksIn(shown: readonly string[], said: Cut): boolean {
  return shown.some((text, index) => {
    const left = text
      .replace(/\[[a-z]+\]/g, ' ')
      .split(/[\s,.]+/)
      .filter((word) => word !== '')
    const harmless = (said[index] ?? [])
      .filter(({ isSecret }) => !isSecret)
      .flatMap((word) => word.text.split(/[\s,.]+/))
    let at = 0
    for (const word of left) {
      while (at < harmless.length && harmless[at] !== word) at++
      if (at++ >= harmless.length) return true
    }
    return false
  })
}
