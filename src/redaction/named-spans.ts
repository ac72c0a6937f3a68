/**
 * What its written form alone gives away: masks that are there already, e-mail addresses, IBANs; and what is spared, so that no
 * run of digits goes through it: dates, times, decimals. Each place of a text is looked at a bounded number of times.
 */
import { ibanLength, isIban } from './check-digits.js'
import type { RedactionKind, RedactionRule } from './kinds.js'

export interface NamedSpan {
  readonly from: number
  readonly to: number
  readonly kind: RedactionKind | 'spared'
  /** It was masked before. */
  readonly isMask: boolean
}

/** In the order of the text; none overlaps another. What is not asked for is read as any other text. */
export function namedSpans(text: string, rules: ReadonlySet<RedactionRule>): NamedSpan[] {
  const found = [
    ...masks(text),
    ...(rules.has('email') ? addresses(text) : []),
    ...(rules.has('iban') ? ibans(text) : []),
    ...spared(text),
  ]
  found.sort((a, b) => a.from - b.from || b.to - a.to)
  let end = 0
  return found.filter(({ from, to }) => {
    const isFree = from >= end
    if (isFree) end = to
    return isFree
  })
}

function* masks(text: string): Generator<NamedSpan> {
  for (const { index, 0: mask, 1: kind } of text.matchAll(/\[(card|iban|email|phone|ssn|number)\]/g))
    yield { from: index, to: index + mask.length, kind: kind as RedactionKind, isMask: true }
}

const localCharactersMax = 64
const domainCharactersMax = 255
const localCharacter = /[\p{L}\p{N}\p{M}._%+-]/u
const domainCharacter = /[\p{L}\p{N}\p{M}.-]/u

/** From each at-sign outwards, so that a text without one costs nothing. */
function* addresses(text: string): Generator<NamedSpan> {
  let end = 0
  for (const { index } of text.matchAll(/[@＠]/g)) {
    if (index < end) continue
    const isSpaced = text[index - 1] === ' ' && text[index + 1] === ' '
    const left = isSpaced ? index - 1 : index
    let from = left
    while (from > end && left - from < localCharactersMax && localCharacter.test(text[from - 1] as string))
      from--
    const right = isSpaced ? index + 2 : index + 1
    let to = right
    while (to < text.length && to - right < domainCharactersMax && domainCharacter.test(text[to] as string))
      to++
    // The end of a sentence is not part of it.
    while (to > right && /[.-]/.test(text[to - 1] as string)) to--
    const hasParts = from < left && to > right
    if (!hasParts || (isSpaced && !text.slice(right, to).includes('.'))) continue
    yield { from, to, kind: 'email', isMask: false }
    end = to
  }
}

/** Together in any case, or in groups and in capitals: the next word must not be taken for its last group. */
const joinedIban = /(?<![\p{L}\p{N}])[a-z]{2}\d{2}[a-z0-9]{11,30}(?![\p{L}\p{N}])/giu
const groupedIban = /(?<![\p{L}\p{N}])[A-Z]{2} ?\d{2}(?:[ -]?[A-Z0-9]){11,30}(?![\p{L}\p{N}])/gu
const ibanDigitsMin = 8

function* ibans(text: string): Generator<NamedSpan> {
  for (const pattern of [joinedIban, groupedIban])
    for (const { index, 0: found } of text.matchAll(pattern)) {
      const length = ibanLength(found.slice(0, 2).toUpperCase())
      if (length === undefined || found.replace(/\D/g, '').length < ibanDigitsMin) continue
      yield { from: index, to: index + wholeIban(found, length), kind: 'iban', isMask: false }
    }
}

/** Up to the length of its country where that is right; all of it where something was misheard. */
function wholeIban(found: string, length: number): number {
  let end = 0
  let characters = ''
  for (const character of found) {
    if (characters.length === length) break
    end++
    if (/[A-Za-z0-9]/.test(character)) characters += character.toUpperCase()
  }
  return isIban(characters) ? end : found.length
}

const date =
  /(?<![\d./-])(?:(\d{1,2})([./-])(\d{1,2})\2(?:\d{4}|\d{2})|\d{4}([./-])(\d{1,2})\4(\d{1,2}))(?!\d|[./-]\d)/g
const clock = /(?<![\d:])(?:[01]?\d|2[0-4]):[0-5]\d(?::[0-5]\d)?(?![\d:])/g
/** 98.6, 12,50, 12,500: one number, of which nobody reads out digits. More groups may be anything. */
const decimal = /(?<![\d.,'’])\d{1,3}[.,'’]\d{1,3}(?!\d|[.,'’]\d)/g

function* spared(text: string): Generator<NamedSpan> {
  for (const match of text.matchAll(date))
    if (isDate(match))
      yield { from: match.index, to: match.index + match[0].length, kind: 'spared', isMask: false }
  for (const pattern of [clock, decimal])
    for (const { index, 0: found } of text.matchAll(pattern))
      yield { from: index, to: index + found.length, kind: 'spared', isMask: false }
}

/** A day and a month in either order, as the year comes last or first. */
function isDate(match: RegExpExecArray): boolean {
  const [, first = '', , second = '', , month = '', day = ''] = match
  if (month !== '') return Number(month) <= 12 && Number(day) <= 31 && Number(month) * Number(day) > 0
  const [low, high] = [Number(first), Number(second)].sort((a, b) => a - b) as [number, number]
  return low >= 1 && low <= 12 && high <= 31
}
