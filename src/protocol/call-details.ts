/** The details by which calls can be found. Without the schemas, as `call-states`. */
import type { AlertKind } from './alert.js'
import type { CallDetails } from './media.js'

/** The names under which calls can be asked for by what was said of them. */
export const detailNames = ['direction', 'caller', 'callee', 'agent', 'queue'] as const
const metadataPrefix = 'meta.'
/** Not said by anybody: found by the analysis. It is kept, and asked for, as what was said is. */
export const sentimentName = 'sentiment'
/** An alert of that kind was raised: kept, and asked for, in the same way. */
export const alertName = (kind: AlertKind) => `alert.${kind}`
export const alertValue = 'raised'
/** A number that either of them has. */
export const numberNames = ['caller', 'callee'] as const
/** Names of people and of their queues: few different ones, that are typed from memory. */
const spokenNames: ReadonlySet<string> = new Set(['agent', 'queue'])

export interface Detail {
  readonly name: string
  readonly value: string
}

/** Calls of which this was said. */
export interface DetailFilter {
  /** One of them will do. */
  readonly names: readonly string[]
  readonly text: string
  /** It is the beginning: of the text, or of a word of an agent or queue, whatever its case and accents. */
  readonly isPrefix: boolean
}

/** What calls can be asked for by: every text that was said of one. */
export function listDetails(details: CallDetails): readonly Detail[] {
  const named = detailNames.flatMap((name) => {
    const value = details[name]
    return value === undefined ? [] : [{ name, value }]
  })
  const labels = Object.entries(details.metadata ?? {}).map(([key, value]) => ({
    name: metadataPrefix + key,
    value,
  }))
  return [...named, ...labels]
}

export function isDetailName(name: string): boolean {
  return (detailNames as readonly string[]).includes(name) || name.startsWith(metadataPrefix)
}

/** Case and accents do not matter, and any word of the text may be meant. */
export function isFolded({ names, isPrefix }: DetailFilter): boolean {
  return isPrefix && names.every((name) => spokenNames.has(name))
}

/** Whether a text that was said under one of its names is what the filter asks for. */
export function matcherOf(filter: DetailFilter): (value: string) => boolean {
  const { text, isPrefix } = filter
  if (!isPrefix) return (value) => value === text
  if (!isFolded(filter)) return (value) => value.startsWith(text)
  const beginning = foldName(text)
  return (value) => hasWordFrom(foldName(value), beginning)
}

export function foldName(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()
}

const letter = /[\p{L}\p{N}]$/u

/** Both folded. */
export function hasWordFrom(text: string, beginning: string): boolean {
  for (let at = text.indexOf(beginning); at >= 0; at = text.indexOf(beginning, at + 1))
    if (at === 0 || !letter.test(text.slice(0, at))) return true
  return false
}
