/**
 * Groups of digits as runs: one long number, in however many groups, segments and voices it was said. A run is masked by its
 * length; its check digits and its form only name it. Pure.
 */
import { isIban, isLuhn } from './check-digits.js'
import type { Group } from './groups.js'
import type { RedactionKind } from './kinds.js'
import type { Token } from './tokens.js'
import { fillers } from './words.js'

export interface Run {
  readonly groups: readonly Group[]
  readonly digits: string
  /** A part of it is masked already. */
  readonly isMasked: boolean
}

/** Words that may stand between two groups that are read out; those that only fill a pause do not count, up to so many. */
export const wordsBetweenMax = 3
const fillersBetweenMax = 8
/** E.164, with the zeros of an exit code. */
const phoneDigitsMin = 7
const phoneDigitsMax = 17

export function runsOf(groups: readonly Group[], tokens: readonly Token[]): readonly Run[] {
  const runs: Run[] = []
  let open: Group[] = []
  const close = () => {
    if (open.some(({ isUnsure }) => !isUnsure)) runs.push(runOf(open))
    open = []
  }
  for (const group of groups) {
    if (isBarrier(group)) {
      close()
      continue
    }
    if (!isContinued(open.at(-1), group, tokens)) {
      // "One" of "one moment" is a word in the middle.
      if (group.isUnsure) continue
      while (open.at(-1)?.isUnsure === true) open.pop()
      if (!isContinued(open.at(-1), group, tokens)) close()
    }
    open.push(group)
  }
  close()
  return runs
}

function isBarrier({ isSpared, isMasked }: Group): boolean {
  return isSpared && !isMasked
}

function runOf(groups: readonly Group[]): Run {
  return {
    groups,
    digits: groups.map(({ digits }) => digits).join(''),
    isMasked: groups.some(({ isMasked }) => isMasked),
  }
}

function isContinued(group: Group | undefined, next: Group, tokens: readonly Token[]): boolean {
  if (group === undefined) return false
  // A plus begins another number.
  if (next.hasPlus && next.digits.length >= phoneDigitsMin) return false
  const words = wordsBetween(tokens, group.last, next.first)
  if (words === 0) return true
  return words <= wordsBetweenMax && group.isReadOut && next.isReadOut
}

/** Those that are no fillers. More than may be are not counted to the end. */
export function wordsBetween(tokens: readonly Token[], last: number, next: number): number {
  let words = 0
  let all = 0
  for (let at = last + 1; at < next && words <= wordsBetweenMax; at++) {
    const { kind, text } = tokens[at] as Token
    if (kind === 'named') return wordsBetweenMax + 1
    if (kind !== 'word') continue
    if (++all > fillersBetweenMax) return wordsBetweenMax + 1
    if (!isFiller(text)) words++
  }
  return words
}

/** A letter alone is spelled. */
function isFiller(word: string): boolean {
  return word.length <= 1 || fillers.has(word)
}

/** What a run is called; it is masked all the same where nothing fits. */
export function kindOf({ groups, digits, isMasked }: Run, tokens: readonly Token[]): RedactionKind {
  if (isMasked) return maskedKind(groups, tokens)
  const [first] = groups
  if (first?.hasPlus === true) return 'phone'
  if (isCard(digits)) return 'card'
  if (ibanStart(groups, digits, tokens) !== null) return 'iban'
  const written = first === undefined ? '' : tokens.slice(first.first, first.last + 1).map(({ text }) => text)
  if (groups.length === 1 && [...written].map(({ length }) => length).join('-') === '3-2-4') return 'ssn'
  const isDialled = /^0?0[1-9]/.test(digits)
  return isDialled && digits.length <= phoneDigitsMax ? 'phone' : 'number'
}

function maskedKind(groups: readonly Group[], tokens: readonly Token[]): RedactionKind {
  const kinds = new Set(groups.flatMap(({ first }) => tokens[first]?.span?.kind ?? []))
  const [kind] = kinds
  return kinds.size === 1 && kind !== undefined && kind !== 'spared' ? kind : 'number'
}

/** Its expiry date may be read out behind it, or the number once more. */
function isCard(digits: string): boolean {
  if (!/^[2-6]/.test(digits)) return false
  return [16, 15, 14, 13, 19, 18, 17].some((length) => {
    const isThere = digits.length === length || (digits.length > length && length >= 15 && length <= 16)
    return isThere && isLuhn(digits.slice(0, length))
  })
}

/** The letters before the digits, said one by one or together; null where there are none that fit. */
export function ibanStart(
  [first]: readonly Group[],
  digits: string,
  tokens: readonly Token[],
): number | null {
  if (first === undefined) return null
  const texts = [tokens[first.first - 2], tokens[first.first - 1]].map((token) =>
    token?.kind === 'word' && token.segment === tokens[first.first]?.segment ? token.text.toUpperCase() : '',
  )
  const [other = '', nearest = ''] = texts
  if (nearest.length === 2 && isIban(nearest + digits)) return first.first - 1
  return nearest.length === 1 && other.length === 1 && isIban(other + nearest + digits)
    ? first.first - 2
    : null
}
