/**
 * Takes numbers, cards, IBANs and e-mail addresses out of what was said. It reads segments together, because a number goes on over
 * words, segments and voices, and it masks by shape: a digit that was misheard must not let the others through. It is a filter, and
 * no guarantee (docs/redaction.md has what it was measured to find). Pure; time and memory grow with the text alone.
 *
 * What is masked stays masked: a mask that is in a text is taken for the long number that it was, and what goes on from it is
 * masked, too. So what comes later may be redacted with what was redacted before it.
 */
import { type Group, readGroups } from './groups.js'
import { maskOf, type RedactionKind, type RedactionRule, runDigitsMin } from './kinds.js'
import { ibanStart, kindOf, type Run, runsOf, wordsBetween, wordsBetweenMax } from './runs.js'
import { spokenAddresses } from './spoken-addresses.js'
import { readTokens, type Token } from './tokens.js'

/** Seconds of the call. */
export interface SaidWord {
  readonly text: string
  readonly start: number
  readonly end: number
}

export interface Said {
  readonly text: string
  readonly start: number
  readonly end: number
  /** Where the recogniser says when each word was said. */
  readonly words?: readonly SaidWord[] | undefined
  /** Of the masks that are in the text already. */
  readonly redactions?: readonly Redaction[] | undefined
}

/** A mask, and what it covers. */
export interface Redaction {
  readonly kind: RedactionKind
  /** Characters of the redacted text, `to` not included. */
  readonly from: number
  readonly to: number
  /** Of its words where their times are known, else of its segment. */
  readonly start: number
  readonly end: number
}

export interface RedactedText {
  readonly text: string
  readonly redactions: readonly Redaction[]
  readonly words?: readonly SaidWord[]
}

export interface RedactionOptions {
  readonly rules: ReadonlySet<RedactionRule>
  /**
   * More may follow the last segment: then three digits at its end are masked, because they may be the beginning of a long
   * number, and what was shown cannot be taken back.
   */
  readonly isOpen: boolean
}

const openDigitsMin = 3

export function redact(said: readonly Said[], options: RedactionOptions): readonly RedactedText[] {
  const reading = redacting(said, options)
  for (;;) {
    const step = reading.next()
    if (step.done === true) return step.value
  }
}

/** Yields where others may have the loop. `said` in the order of its time. */
export function* redacting(
  said: readonly Said[],
  options: RedactionOptions,
): Generator<void, readonly RedactedText[]> {
  const tokens: Token[] = []
  for (const [segment, { text }] of said.entries()) {
    if (isApart(said[segment - 1], said[segment])) tokens.push(pauseBefore(segment))
    for (const token of yield* readTokens(text, segment, options.rules)) tokens.push(token)
  }
  const groups = yield* readGroups(tokens)
  const { rules } = options
  const covers = [
    ...namedCovers(tokens),
    ...(rules.has('email')
      ? spokenAddresses(tokens).flatMap((range) => coversOf(tokens, range, 'email'))
      : []),
    ...runCovers(tokens, groups, options),
  ]
  yield
  return masked(said, covers)
}

/** Seconds of silence that end a number. */
const pauseSecondsMax = 10

function isApart(before: Said | undefined, next: Said | undefined): boolean {
  return before !== undefined && next !== undefined && next.start - before.end > pauseSecondsMax
}

function pauseBefore(segment: number): Token {
  const span = { from: 0, to: 0, kind: 'spared', isMask: false } as const
  return { segment, from: 0, to: 0, kind: 'named', text: '', span }
}

/** A part of a segment's text that a mask takes the place of. */
interface Cover {
  readonly segment: number
  readonly from: number
  readonly to: number
  readonly kind: RedactionKind
}

function namedCovers(tokens: readonly Token[]): readonly Cover[] {
  return tokens.flatMap(({ segment, from, to, span }) =>
    span === null || span.kind === 'spared' ? [] : [{ segment, from, to, kind: span.kind }],
  )
}

/** A range of tokens may go over segments. */
function coversOf(
  tokens: readonly Token[],
  { first, last }: { readonly first: number; readonly last: number },
  kind: RedactionKind,
): Cover[] {
  const covers: Cover[] = []
  for (const { segment, from, to } of tokens.slice(first, last + 1)) {
    const open = covers.at(-1)
    if (open?.segment === segment) covers[covers.length - 1] = { ...open, to }
    else covers.push({ segment, from, to, kind })
  }
  return covers
}

// --- runs ---------------------------------------------------------------------------------------------------------------

function runCovers(
  tokens: readonly Token[],
  groups: readonly Group[],
  { rules, isOpen }: RedactionOptions,
): readonly Cover[] {
  const digitsMin = runDigitsMin(rules)
  if (!Number.isFinite(digitsMin)) return []
  return runsOf(groups, tokens).flatMap((run) => {
    const isLong = run.isMasked || run.digits.length >= digitsMin
    const mayGrow = isOpen && run.digits.length >= openDigitsMin && isAtEnd(run, tokens)
    return isLong || mayGrow ? coversOfRun(run, tokens) : []
  })
}

/** What follows may be a part of it. */
function isAtEnd({ groups }: Run, tokens: readonly Token[]): boolean {
  return wordsBetween(tokens, groups.at(-1)?.last ?? 0, tokens.length) <= wordsBetweenMax
}

/** A mask for the groups of a segment that have only fillers between them: more masks would say how the number was read out. */
function coversOfRun(run: Run, tokens: readonly Token[]): Cover[] {
  const kind = kindOf(run, tokens)
  const start = kind === 'iban' ? ibanStart(run.groups, run.digits, tokens) : null
  const covers: Cover[] = []
  let before: Group | null = null
  for (const group of run.groups) {
    const first = before === null && start !== null ? start : group.first
    for (const cover of coversOf(tokens, { first: withPlus(first, group, tokens), last: group.last }, kind)) {
      const open = covers.at(-1)
      const isOne = before === null || wordsBetween(tokens, before.last, group.first) === 0
      if (open?.segment === cover.segment && isOne) covers[covers.length - 1] = { ...open, to: cover.to }
      else covers.push(cover)
    }
    before = group
  }
  return covers
}

function withPlus(first: number, { hasPlus }: Group, tokens: readonly Token[]): number {
  return hasPlus && tokens[first - 1]?.segment === tokens[first]?.segment ? first - 1 : first
}

// --- texts --------------------------------------------------------------------------------------------------------------

function masked(said: readonly Said[], covers: readonly Cover[]): readonly RedactedText[] {
  const bySegment = new Map<number, Cover[]>()
  for (const cover of covers) {
    const list = bySegment.get(cover.segment)
    if (list === undefined) bySegment.set(cover.segment, [cover])
    else list.push(cover)
  }
  return said.map((segment, index) => maskedText(segment, joined(bySegment.get(index) ?? [])))
}

/** In order, none over another: what is found twice has the name that was found first. */
function joined(covers: readonly Cover[]): readonly Cover[] {
  const one: Cover[] = []
  for (const cover of [...covers].sort((a, b) => a.from - b.from || b.to - a.to)) {
    const open = one.at(-1)
    if (open === undefined || cover.from >= open.to) one.push(cover)
    else if (cover.to > open.to) one[one.length - 1] = { ...open, to: cover.to }
  }
  return one
}

function maskedText(said: Said, covers: readonly Cover[]): RedactedText {
  if (covers.length === 0)
    return { text: said.text, redactions: [], ...(said.words && { words: said.words }) }
  const places = said.words === undefined ? null : placesOf(said.text, said.words)
  const redactions: Redaction[] = []
  let text = ''
  let at = 0
  for (const { from, to, kind } of covers) {
    text += said.text.slice(at, from)
    const mask = maskOf(kind)
    redactions.push({
      kind,
      from: text.length,
      to: text.length + mask.length,
      ...timesOf(said, places, from, to),
    })
    text += mask
    at = to
  }
  text += said.text.slice(at)
  return { text, redactions, ...(places !== null && { words: maskedWords(places, covers) }) }
}

interface PlacedWord extends SaidWord {
  readonly from: number
  readonly to: number
}

/** A word is looked for so far behind the one before it. */
const wordSearchCharacters = 64

/** Where words are in their text; one that is not found is where it would follow. */
function placesOf(text: string, words: readonly SaidWord[]): readonly PlacedWord[] {
  let at = 0
  return words.map((word) => {
    const plain = word.text.trim()
    const found = text.slice(at, at + wordSearchCharacters + plain.length).indexOf(plain)
    const from = at + Math.max(found, 0)
    const to = found < 0 ? at : from + plain.length
    at = to
    return { ...word, from, to }
  })
}

/** Of the words that are covered, and of the masks from before. Without any the whole segment. */
function timesOf(
  { start, end, redactions = [] }: Said,
  places: readonly PlacedWord[] | null,
  from: number,
  to: number,
): { readonly start: number; readonly end: number } {
  const isCovered = (place: { readonly from: number; readonly to: number }) =>
    place.from < to && place.to > from
  const known = [...(places ?? []), ...redactions].filter(isCovered)
  // Words beside a mask from before have no times of their own.
  const isWhole = places === null && !redactions.some((one) => one.from === from && one.to === to)
  if (known.length === 0 || isWhole) return { start, end }
  return {
    start: Math.min(...known.map((one) => one.start)),
    end: Math.max(...known.map((one) => one.end)),
  }
}

/** The mask is the first word of those that it covers, and lasts as long as all of them. */
function maskedWords(places: readonly PlacedWord[], covers: readonly Cover[]): readonly SaidWord[] {
  const words: { text: string; start: number; end: number }[] = []
  let last: Cover | undefined
  let next = 0
  for (const { text, start, end, from, to } of places) {
    while (next < covers.length && (covers[next] as Cover).to <= from) next++
    const cover = covers[next]
    if (cover === undefined || cover.from >= to) {
      words.push({ text, start, end })
      last = undefined
      continue
    }
    const open = words.at(-1)
    if (last === cover && open !== undefined) open.end = Math.max(open.end, end)
    else words.push({ text: maskOf(cover.kind), start, end })
    last = cover
  }
  return words
}
