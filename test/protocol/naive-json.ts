/**
 * A JSON object as the contract wants every body, by the shortest way: `JSON.parse` and a list of tokens. It shares no
 * code with the decoders that it judges.
 */
import type { ErrorCode } from '../../src/errors.js'

export type NaiveRefusal = Extract<ErrorCode, 'malformed_json' | 'schema_violation'>

export interface NaiveObject {
  readonly values: Readonly<Record<string, unknown>>
  /** The text of each value, without white space between its tokens. */
  readonly texts: ReadonlyMap<string, string>
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function naiveObject(bytes: Uint8Array): NaiveObject | NaiveRefusal {
  let text: string
  let value: unknown
  try {
    text = utf8.decode(bytes)
    value = JSON.parse(text)
  } catch {
    return 'malformed_json'
  }
  if (!isObject(value)) return 'schema_violation'
  const { keys, texts, depth } = topLevel(text)
  if (depth > 16 || hasBadKeys(keys)) return 'malformed_json'
  return { values: value, texts }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** One that stands twice, or one that changes what an object is. */
function hasBadKeys(keys: readonly string[]): boolean {
  const isSpecial = (key: string) => ['__proto__', 'constructor', 'prototype'].includes(key)
  return new Set(keys).size < keys.length || keys.some(isSpecial)
}

/** Keys of the outermost object, the text of each value, and how deep brackets nest. `text` is valid JSON. */
function topLevel(text: string): { keys: string[]; texts: Map<string, string>; depth: number } {
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/gs) ?? []
  const keys: string[] = []
  const texts = new Map<string, string>()
  let level = 0
  let depth = 0
  let valueFirst = 0
  for (const [i, token] of tokens.entries()) {
    if (token === '{' || token === '[') depth = Math.max(depth, ++level)
    else if (token === '}' || token === ']') level--
    else if (token === ':' && level === 1) {
      keys.push(JSON.parse(tokens[i - 1] ?? '""'))
      valueFirst = i + 1
    }
    const isValueEnd = (token === ',' && level === 1) || (token === '}' && level === 0)
    const key = keys.at(-1)
    if (isValueEnd && key !== undefined) texts.set(key, tokens.slice(valueFirst, i).join(''))
  }
  return { keys, texts, depth }
}
