/** A text as the words, numbers and masks in it. Each place of it is looked at a bounded number of times. */
import type { RedactionRule } from './kinds.js'
import { type NamedSpan, namedSpans } from './named-spans.js'
import { plainWord } from './number-words.js'

export interface Token {
  /** Of the segments that are read together. */
  readonly segment: number
  /** Characters of its text, `to` not included. */
  readonly from: number
  readonly to: number
  /**
   * `digits`: written ones, of any script. `named`: a mask from before, or what is found by its form (an IBAN, an address, a
   * date). `sign`: one that tells what a number is.
   */
  readonly kind: 'word' | 'digits' | 'sign' | 'named'
  /** As words are compared; of digits their values. */
  readonly text: string
  readonly span: NamedSpan | null
}

/** Of one text so much is read in one go. */
const charactersAtOnce = 32_768

/** Marks and joiners in the middle are not seen: 4️⃣1️⃣ is 41. */
const digits = /[\p{Nd}\p{No}](?:[\p{Nd}\p{No}]|[\p{Mn}\p{Me}\p{Cf}](?=[\p{Nd}\p{No}\p{Mn}\p{Me}\p{Cf}]))*/uy
const word = /\p{L}[\p{L}\p{M}\p{Cf}'’]*/uy
const sign = /[+%°]|\p{Sc}/uy
const patterns = [
  ['digits', digits],
  ['word', word],
  ['sign', sign],
] as const

/** Yields where others may have the loop. */
export function* readTokens(
  text: string,
  segment: number,
  rules: ReadonlySet<RedactionRule>,
): Generator<void, Token[]> {
  const tokens: Token[] = []
  const spans = namedSpans(text, rules)
  let next = 0
  let paused = 0
  for (let at = 0; at < text.length; ) {
    if (at - paused > charactersAtOnce) {
      paused = at
      yield
    }
    const span = spans[next]
    if (span !== undefined && span.from <= at) {
      tokens.push({ segment, from: span.from, to: span.to, kind: 'named', text: '', span })
      next++
      at = Math.max(at, span.to)
      continue
    }
    const token = tokenAt(text, segment, at)
    if (token !== null) tokens.push(token)
    at = token?.to ?? at + 1
  }
  return tokens
}

/** Null where none begins. */
function tokenAt(text: string, segment: number, from: number): Token | null {
  const kind = asciiKinds[text.charCodeAt(from)]
  // Most texts are mostly ASCII, and a look costs a twentieth of a pattern.
  if (kind === null) return null
  if (kind !== undefined && kind !== 'sign') {
    let to = from + 1
    while (asciiKinds[text.charCodeAt(to)] === kind) to++
    const after = text.charCodeAt(to)
    if (!(after >= 128) && after !== apostrophe) {
      const found = text.slice(from, to)
      return { segment, from, to, kind, text: kind === 'word' ? plainWord(found) : found, span: null }
    }
  }
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = from
    const [found] = pattern.exec(text) ?? []
    if (found === undefined) continue
    const said = kind === 'word' ? plainWord(found) : kind === 'digits' ? valuesOf(found) : found
    return { segment, from, to: from + found.length, kind, text: said, span: null }
  }
  return null
}

const apostrophe = 0x27
const asciiKinds: readonly (Token['kind'] | null)[] = Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code)
  if (/\d/.test(character)) return 'digits'
  if (/[A-Za-z]/.test(character)) return 'word'
  return /[+%$]/.test(character) ? 'sign' : null
})

/** ٤١, ४१, ４１, 𝟒𝟏 and ④① are 41; a half has no digit to read out. */
function valuesOf(text: string): string {
  if (/^\d+$/.test(text)) return text
  let values = ''
  for (const character of text) values += digitsOf(character)
  return values
}

function digitsOf(character: string): string {
  const plain = character.normalize('NFKC')
  if (/^\d+$/.test(plain)) return plain
  if (!isDigit(plain)) return ''
  // Unicode keeps the ten digits of a script together, in order.
  const code = plain.codePointAt(0) ?? 0
  let zero = code
  while (code - zero < 9 && isDigit(String.fromCodePoint(zero - 1))) zero--
  return String(code - zero)
}

function isDigit(character: string): boolean {
  return /^\p{Nd}$/u.test(character)
}
