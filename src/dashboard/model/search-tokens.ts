/**
 * What is typed into the search field: `agent:maria queue:"billing two" refund`. Of calls on the floor the page looks itself, with the rules by
 * which the service looks for stored ones: beginnings of words for people and queues, of numbers as they are written. Pure.
 */
import type { CallState } from '../../protocol/call.js'
import { foldName, hasWordFrom } from '../../protocol/call-details.js'
import { callStates } from '../../protocol/call-states.js'
import type { CallRow } from '../../protocol/floor.js'
import { stateNames } from '../format.js'

export const tokenKeys = ['agent', 'queue', 'number', 'state', 'sentiment', 'said'] as const
export type TokenKey = (typeof tokenKeys)[number]

export interface Token {
  readonly key: TokenKey
  readonly text: string
  /** Where it stands in what was typed. */
  readonly from: number
  readonly end: number
}

export interface Search {
  readonly tokens: readonly Token[]
  /** What has no key. */
  readonly words: string
}

const sentiments = ['positive', 'neutral', 'mixed', 'negative'] as const
const tokenPattern = new RegExp(`(?:^|(?<=\\s))(${tokenKeys.join('|')}):(?:"([^"]*)"?|(\\S*))`, 'giu')

export function parseTokens(typed: string): Search {
  const tokens: Token[] = []
  let words = ''
  let at = 0
  for (const match of typed.matchAll(tokenPattern)) {
    const [whole, key = '', quoted, plain = ''] = match
    const token = { key: key.toLowerCase() as TokenKey, text: (quoted ?? plain).trim() }
    words += ` ${typed.slice(at, match.index)}`
    at = match.index + whole.length
    // A key alone is still being typed.
    if (token.text !== '') tokens.push({ ...token, from: match.index, end: at })
  }
  return { tokens, words: `${words} ${typed.slice(at)}`.replace(/\s+/g, ' ').trim() }
}

/** What is left to be typed when a token goes. */
export function withoutToken(typed: string, { from, end }: Token): string {
  return `${typed.slice(0, from)}${typed.slice(end)}`.replace(/\s+/g, ' ').trim()
}

export function withToken(typed: string, key: TokenKey, text: string): string {
  const value = /\s/.test(text) ? `"${text.replaceAll('"', '')}"` : text
  return `${typed.trim()} ${key}:${value}`.trim()
}

const stateOf = (text: string): CallState | null =>
  callStates.find((state) => hasWordFrom(foldName(`${stateNames[state]} ${state}`), foldName(text))) ?? null
const sentimentOf = (text: string) => sentiments.find((each) => each.startsWith(text.toLowerCase())) ?? null

/** Of the calls on the floor; what was said on them only the service knows. */
export function matcherOfSearch({ tokens, words }: Search): (row: CallRow) => boolean {
  const wanted = foldName(words).split(' ').filter(Boolean)
  return (row) =>
    tokens.every((token) => hasToken(row, token)) &&
    wanted.every((word) =>
      [row.call_id, row.agent, row.queue, row.caller, row.callee].some(
        (text) => text !== null && foldName(text).includes(word),
      ),
    )
}

function hasToken(row: CallRow, { key, text }: Token): boolean {
  switch (key) {
    case 'agent':
    case 'queue':
      return row[key] !== null && hasWordFrom(foldName(row[key]), foldName(text))
    case 'number':
      return [row.caller, row.callee].some((number) => number?.startsWith(text) === true)
    case 'state':
      return row.state === stateOf(text)
    case 'sentiment':
      return row.sentiment !== null && row.sentiment === sentimentOf(text)
    case 'said':
      return false
  }
}

export type Understood =
  | { readonly kind: 'understood'; readonly params: URLSearchParams; readonly said: string }
  | { readonly kind: 'unknown'; readonly token: Token; readonly known: readonly string[] }

/** As the service is asked. Words without a key are looked for in what was said. */
export function askedOf({ tokens, words }: Search): Understood {
  const params = new URLSearchParams()
  const said = [words]
  for (const token of tokens) {
    const { key, text } = token
    if (key === 'said') said.push(/\s/.test(text) ? `"${text}"` : text)
    else if (key === 'state' || key === 'sentiment') {
      const value = key === 'state' ? stateOf(text) : sentimentOf(text)
      const known = key === 'state' ? callStates.map((state) => stateNames[state]) : sentiments
      if (value === null) return { kind: 'unknown', token, known }
      params.set(key, value)
    } else params.append(key, `${text}*`)
  }
  return { kind: 'understood', params, said: said.join(' ').trim() }
}
