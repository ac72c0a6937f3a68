/**
 * What the contract says of a packet's text, by the shortest way: `JSON.parse`, a list of tokens, and the rules one by
 * one. It shares no code with the decoder that it judges.
 */
import type { ErrorCode } from '../../src/errors.js'

export interface NaivePacket {
  readonly callId: string | null
  readonly sequence: number
  readonly data: string
  readonly timestamp: number
}

export type NaiveDecoding = NaivePacket | Extract<ErrorCode, 'malformed_json' | 'schema_violation'>

const loneSurrogate = /[\ud800-\udfff]/u
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function naiveDecode(bytes: Uint8Array, hasCallId: boolean): NaiveDecoding {
  let text: string
  let value: unknown
  try {
    text = utf8.decode(bytes)
    value = JSON.parse(text)
  } catch {
    return 'malformed_json'
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'schema_violation'
  const { keys, texts, depth } = topLevel(text)
  if (depth > 16 || new Set(keys).size < keys.length) return 'malformed_json'
  if (keys.some((key) => ['__proto__', 'constructor', 'prototype'].includes(key))) return 'malformed_json'

  const { sequence, data, timestamp, call_id: callId } = value as Record<string, unknown>
  if (typeof sequence !== 'number' || !/^(0|[1-9][0-9]*)$/.test(texts.get('sequence') ?? ''))
    return 'schema_violation'
  if (sequence > 2_147_483_647) return 'schema_violation'
  if (typeof timestamp !== 'number' || !(timestamp > 0) || timestamp === Number.POSITIVE_INFINITY)
    return 'schema_violation'
  if (typeof data !== 'string' || data === '' || data.includes('\0') || loneSurrogate.test(data))
    return 'schema_violation'
  if (Buffer.byteLength(data) > 32_768) return 'schema_violation'
  if (!hasCallId) return { callId: null, sequence, data, timestamp }
  if (typeof callId !== 'string' || !/^[A-Za-z0-9._:-]{1,128}$/.test(callId)) return 'schema_violation'
  if (callId === '.' || callId === '..') return 'schema_violation'
  return { callId, sequence, data, timestamp }
}

/** Keys of the outermost object, the first token of each value, and how deep brackets nest. `text` is valid JSON. */
export function topLevel(text: string): { keys: string[]; texts: Map<string, string>; depth: number } {
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/gs) ?? []
  const keys: string[] = []
  const texts = new Map<string, string>()
  let level = 0
  let depth = 0
  for (const [i, token] of tokens.entries()) {
    if (token === '{' || token === '[') depth = Math.max(depth, ++level)
    else if (token === '}' || token === ']') level--
    else if (token === ':' && level === 1) {
      const key = JSON.parse(tokens[i - 1] ?? '""')
      keys.push(key)
      texts.set(key, tokens[i + 1] ?? '')
    }
  }
  return { keys, texts, depth }
}
