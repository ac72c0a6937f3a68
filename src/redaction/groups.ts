/**
 * Numbers of a text as groups: what is written or said without a word in between. "four one, one one" and "4111-1111" are one
 * group each; "forty-one hundred" is a number of one group. Pure.
 */

import { type NumberWord, numberWord } from './number-words.js'
import type { Token } from './tokens.js'
import {
  clockWords,
  connectors,
  currencies,
  dateWords,
  measures,
  months,
  multipliers,
  plusWords,
  rangeWords,
} from './words.js'

/** A number, of one token or of several. */
interface Part {
  readonly first: number
  readonly last: number
  readonly digits: string
  /** A single digit that is said. */
  readonly isUnit: boolean
  readonly isWritten: boolean
  readonly certainty: NumberWord['certainty']
}

export interface Group {
  /** Tokens. */
  readonly first: number
  readonly last: number
  /** Empty where they are masked already. */
  readonly digits: string
  /** It is a mask from before. */
  readonly isMasked: boolean
  /** Of articles and the like: it counts only as a part of a longer number. */
  readonly isUnsure: boolean
  /** Read out digit by digit, or a piece of a longer number: what comes some words later may go on with it. */
  readonly isReadOut: boolean
  /** A date, a time, an amount: no part of anything longer. */
  readonly isSpared: boolean
  readonly hasPlus: boolean
}

/** Yields where others may have the loop. */
export function* readGroups(tokens: readonly Token[]): Generator<void, Group[]> {
  const groups: Group[] = []
  for (let at = 0, looked = 0; at < tokens.length; looked++) {
    if (looked % 8192 === 8191) yield
    const token = tokens[at] as Token
    if (token.kind === 'named') {
      groups.push(namedGroup(token, at))
      at++
      continue
    }
    const { parts, next } = partsFrom(tokens, at)
    if (parts.length > 0) groups.push(groupOf(tokens, parts))
    at = next
  }
  return withRanges(tokens, groups)
}

function namedGroup({ span }: Token, at: number): Group {
  const isMasked = span?.isMask === true && span.kind !== 'email' && span.kind !== 'iban'
  return {
    first: at,
    last: at,
    digits: '',
    isMasked,
    isUnsure: false,
    isReadOut: isMasked,
    isSpared: !isMasked,
    hasPlus: false,
  }
}

// --- parts --------------------------------------------------------------------------------------------------------------

/** All numbers from a token on that follow each other, and the token from which to go on. */
function partsFrom(
  tokens: readonly Token[],
  from: number,
): { readonly parts: readonly Part[]; readonly next: number } {
  const parts: Part[] = []
  let at = from
  for (let part = readPart(tokens, at); part !== null; part = readPart(tokens, at)) {
    if (part.certainty === 'homophone' && !isBetweenUnits(tokens, parts.at(-1), part)) break
    // Who writes digits writes all of them so: "um" of "2025 um 14 Uhr" is none.
    if (part.certainty === 'article' && parts.at(-1)?.isWritten === true) break
    if (part.isWritten && parts.at(-1)?.certainty === 'article') parts.length = 0
    parts.push(part)
    at = part.last + 1
  }
  return { parts, next: Math.max(at, from + 1) }
}

function isBetweenUnits(tokens: readonly Token[], before: Part | undefined, { last }: Part): boolean {
  if (before?.isUnit !== true) return false
  const after = readPart(tokens, last + 1)
  return after?.isUnit === true && after.certainty !== 'homophone'
}

function readPart(tokens: readonly Token[], at: number): Part | null {
  const token = tokens[at]
  if (token?.kind === 'digits') return token.text === '' ? null : written(token, at)
  // A currency or a plus is of the number behind it.
  if (token?.kind !== 'word') return null
  const times = multipliers.get(token.text)
  if (times !== undefined) return repeated(tokens, at, times)
  const word = wordAt(tokens, at)
  return word === null ? null : spoken(tokens, at, word)
}

function written({ text }: Token, at: number): Part {
  return { first: at, last: at, digits: text, isUnit: false, isWritten: true, certainty: 'sure' }
}

/** Without a digit behind it (somebody has spoken in between) it belongs to the number before it, and counts for nothing. */
function repeated(tokens: readonly Token[], at: number, times: number): Part {
  const next = tokens[at + 1]
  const digit = next?.kind === 'digits' ? next.text : wordAt(tokens, at + 1)?.value.toString()
  if (digit?.length !== 1)
    return { first: at, last: at, digits: '', isUnit: true, isWritten: false, certainty: 'article' }
  const digits = digit.repeat(times)
  return { first: at, last: at + 1, digits, isUnit: true, isWritten: false, certainty: 'sure' }
}

function wordAt(tokens: readonly Token[], at: number): NumberWord | null {
  const token = tokens[at]
  return token?.kind === 'word' ? numberWord(token.text) : null
}

/** One number that is said in several words: forty-one, quatre-vingt-dix, two hundred and five, two thousand nineteen. */
function spoken(tokens: readonly Token[], first: number, word: NumberWord): Part {
  let { value } = word
  let last = first
  const take = (more: Reading | null): boolean => {
    if (more === null) return false
    value = more.value
    last = more.last
    return true
  }
  if (value < 100) take(belowHundred(tokens, first, word))
  if (value < 100) take(magnitude(tokens, last, value, 'hundred'))
  const isHundreds = value >= 100 && value < 1000 && value % 100 === 0
  if (isHundreds) take(addition(tokens, last, value))
  if (value < 1000 && take(magnitude(tokens, last, value, 'thousand'))) take(addition(tokens, last, value))
  else if (word.part === 'thousand') take(addition(tokens, last, value))
  const isUnit = value < 10
  return { first, last, digits: String(value), isUnit, isWritten: false, certainty: word.certainty }
}

interface Reading {
  readonly value: number
  readonly last: number
}

function belowHundred(tokens: readonly Token[], at: number, { part, value }: NumberWord): Reading | null {
  const next = wordAt(tokens, at + 1)
  const text = tokens[at + 1]?.text ?? ''
  // Quatre-vingts, and what follows.
  if (value === 4 && /^vingts?$/.test(text)) {
    const rest = addition(tokens, at + 1, 80, 20)
    return rest ?? { value: 80, last: at + 1 }
  }
  if (value === 10 && tokens[at]?.text === 'dix' && next !== null && /^(?:sept|huit|neuf)$/.test(text))
    return { value: 10 + next.value, last: at + 1 }
  if (part !== 'tens') return null
  return addition(tokens, at, value, value === 60 ? 20 : 10)
}

/** A smaller number behind a round one, with or without "and". */
function addition(
  tokens: readonly Token[],
  at: number,
  round: number,
  below = round % 1000 === 0 ? 1000 : 100,
): Reading | null {
  const isJoined = connectors.has(tokens[at + 1]?.text ?? '') && wordAt(tokens, at + 2) !== null
  const next = at + (isJoined ? 2 : 1)
  const word = wordAt(tokens, next)
  if (word === null || word.value >= below || word.value === 0 || word.part === 'hundred') return null
  if (word.certainty === 'homophone') return null
  // Digits go on: eight hundred, five five five.
  if (!isJoined && round >= 100 && word.part === 'unit' && wordAt(tokens, next + 1)?.part === 'unit')
    return null
  if (below > 20) {
    const more = below === 1000 && word.value < 10 ? magnitude(tokens, next, word.value, 'hundred') : null
    const rest = more ?? belowHundred(tokens, next, word)
    if (rest !== null && rest.value < below) {
      const whole = more === null ? null : addition(tokens, rest.last, rest.value)
      return { value: round + (whole ?? rest).value, last: (whole ?? rest).last }
    }
  }
  return { value: round + word.value, last: next }
}

function magnitude(
  tokens: readonly Token[],
  at: number,
  value: number,
  part: 'hundred' | 'thousand',
): Reading | null {
  const next = wordAt(tokens, at + 1)
  if (next?.part !== part || value === 0) return null
  return { value: value * next.value, last: at + 1 }
}

// --- groups -------------------------------------------------------------------------------------------------------------

function groupOf(tokens: readonly Token[], parts: readonly Part[]): Group {
  const [first, last] = [parts[0] as Part, parts.at(-1) as Part]
  const digits = parts.map((part) => part.digits).join('')
  const around = { before: tokens[first.first - 1], after: tokens[last.last + 1] }
  return {
    first: first.first,
    last: last.last,
    digits,
    isMasked: false,
    isUnsure: parts.every(({ certainty }) => certainty !== 'sure'),
    isReadOut: isReadOut(parts, digits),
    isSpared: isSpared(tokens, parts, digits),
    hasPlus: around.before?.text === '+' || plusWords.has(around.before?.text ?? ''),
  }
}

function isReadOut(parts: readonly Part[], digits: string): boolean {
  if (parts.length > 2) return true
  if (parts.length === 2)
    return parts.every(({ isUnit }) => isUnit) || parts.every(({ isWritten }) => isWritten)
  // Said twice, say three times.
  if (parts[0]?.isUnit === true && digits.length > 1) return true
  const isYear = /^(?:19|20)\d\d$/.test(digits)
  const isRound = /00$/.test(digits)
  return digits.length >= 3 && !isYear && !isRound
}

/** Digits of the longest run that may be an amount, a date, a time, a quantity. */
const amountDigitsMax = 8
const dateDigitsMax = 6
const clockDigitsMax = 4
const measureDigitsMax = 6

function isSpared(tokens: readonly Token[], parts: readonly Part[], { length }: string): boolean {
  const [first, last] = [parts[0] as Part, parts.at(-1) as Part]
  const [before, after] = [tokens[first.first - 1], tokens[last.last + 1]]
  const isNear = (token: Token | undefined) =>
    token !== undefined && token.segment === tokens[first.first]?.segment
  const has = (token: Token | undefined, words: ReadonlySet<string>) =>
    isNear(token) && words.has(token?.text ?? '')
  if (parts.length <= 3 && length <= amountDigitsMax) {
    const isMoney = (token: Token | undefined) =>
      isNear(token) && (/^\p{Sc}$/u.test(token?.text ?? '') || currencies.has(token?.text ?? ''))
    if (isMoney(before) || isMoney(after)) return true
  }
  const isFew = parts.length <= 3 && !parts.every(({ isUnit }) => isUnit && parts.length > 2)
  if (!isFew) return false
  if (length <= measureDigitsMax && (has(after, measures) || /^[%°]$/.test(after?.text ?? ''))) return true
  if (length <= clockDigitsMax && has(after, clockWords)) return true
  return length <= dateDigitsMax && isBesideMonth(tokens, first.first, last.last, has)
}

function isBesideMonth(
  tokens: readonly Token[],
  first: number,
  last: number,
  has: (token: Token | undefined, words: ReadonlySet<string>) => boolean,
): boolean {
  if (has(tokens[first - 1], months) || has(tokens[last + 1], months)) return true
  if (has(tokens[first - 1], dateWords) && has(tokens[first - 2], months)) return true
  return has(tokens[last + 1], dateWords) && has(tokens[last + 2], months)
}

/** Between 1500 and 2500 euros: the first is an amount, too. */
function withRanges(tokens: readonly Token[], groups: Group[]): Group[] {
  for (let index = groups.length - 2; index >= 0; index--) {
    const [group, next] = [groups[index] as Group, groups[index + 1] as Group]
    const isOne = next.first - group.last === 2 && rangeWords.has(tokens[group.last + 1]?.text ?? '')
    const isNamed = tokens[next.first]?.kind === 'named'
    if (isOne && next.isSpared && !isNamed && !group.isMasked && group.digits.length <= measureDigitsMax)
      groups[index] = { ...group, isSpared: true }
  }
  return groups
}
