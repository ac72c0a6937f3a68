/**
 * A search in transcripts: words, "phrases" and prefix*, all of which a call must have. Everything else is taken
 * literally: nothing that is typed is an operator of the index behind it.
 */

import Type, { type Static } from 'typebox'
import type { VoiceStreamError } from '../errors.js'
import { limits } from '../limits.js'
import { loneSurrogate } from './lone-surrogate.js'
import { invalidParameter } from './query.js'

/** A word, or words one behind the other. */
export interface SearchTerm {
  readonly text: string
  /** Its last word may go on. */
  readonly isPrefix: boolean
}

export const MatchPart = Type.Object({
  text: Type.String(),
  found: Type.Boolean({ description: 'The text matches the search.' }),
})
export type MatchPart = Static<typeof MatchPart>

const control = /\p{Cc}/u
const searchable = /[\p{L}\p{N}]/u
const term = /"([^"]*)"(\*?)|([^\s"]+)/gu

/** Throws `schema_violation`. */
export function parseSearch(text: string): readonly SearchTerm[] {
  if (text.length > limits.searchCharactersMax)
    throw invalid(`has ${text.length} characters, and at most ${limits.searchCharactersMax} are allowed`)
  if (loneSurrogate.test(text)) throw invalid('holds a lone surrogate')
  if (control.test(text)) throw invalid('holds a control character')
  if ((text.split('"').length - 1) % 2 === 1) throw invalid('has a phrase without its closing quotation mark')
  const terms = [...text.matchAll(term)].map(termOf).filter((found) => searchable.test(found.text))
  if (terms.length === 0) throw invalid('has no word to search for')
  if (terms.length > limits.searchTermsMax)
    throw invalid(`has ${terms.length} words and phrases, and at most ${limits.searchTermsMax} are allowed`)
  for (const found of terms) checkPrefix(found)
  return terms
}

function termOf([, phrase, star, word = '']: RegExpMatchArray): SearchTerm {
  if (phrase !== undefined) return { text: phrase, isPrefix: star === '*' }
  return { text: word.replace(/\*+$/, ''), isPrefix: word.endsWith('*') }
}

function checkPrefix({ text, isPrefix }: SearchTerm): void {
  const least = limits.searchPrefixCharactersMin
  // What follows the last word is no part of it: the index would look for `a` where `a..*` was asked for.
  const last = text.match(/[\p{L}\p{N}\p{M}]+/gu)?.at(-1) ?? ''
  if (isPrefix && [...last].length < least) throw invalid(`has a prefix of less than ${least} characters`)
}

function invalid(message: string): VoiceStreamError {
  return invalidParameter('q', message)
}
