/** A search in one transcript, word by word: what the journal in memory does for an index. */
import type { MatchPart, SearchTerm } from '../../src/protocol/search.js'

interface Word {
  readonly text: string
  readonly first: number
  readonly end: number
}

/** Characters around what was found. */
const contextCharacters = 80

/** Null where a term is missing. */
export function findTerms(transcript: string, terms: readonly SearchTerm[]): readonly MatchPart[] | null {
  const words = wordsOf(transcript)
  const found = terms.map((term) => placesOf(words, term))
  if (found.some((places) => places.length === 0)) return null
  const places = found.flat().sort((a, b) => a.first - b.first)
  const first = Math.max(0, (places[0]?.first ?? 0) - contextCharacters)
  const end = (places[0]?.end ?? 0) + contextCharacters
  const parts: MatchPart[] = []
  let at = first
  for (const place of places) {
    if (place.first < at || place.end > end) continue
    parts.push({ text: transcript.slice(at, place.first), found: false })
    parts.push({ text: transcript.slice(place.first, place.end), found: true })
    at = place.end
  }
  parts.push({ text: transcript.slice(at, end), found: false })
  return parts.filter(({ text }) => text !== '')
}

function wordsOf(text: string): readonly Word[] {
  return [...text.matchAll(/[\p{L}\p{N}\p{M}]+/gu)].map((match) => ({
    text: plain(match[0]),
    first: match.index,
    end: match.index + match[0].length,
  }))
}

function plain(word: string): string {
  return word.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()
}

function placesOf(words: readonly Word[], { text, isPrefix }: SearchTerm): readonly Word[] {
  const wanted = wordsOf(text)
  return words.filter((_, start) =>
    wanted.every((word, offset) => {
      const said = words[start + offset]?.text ?? ''
      return isPrefix && offset === wanted.length - 1 ? said.startsWith(word.text) : said === word.text
    }),
  )
}
