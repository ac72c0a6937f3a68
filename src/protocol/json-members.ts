/**
 * Members of a JSON object as they are written. `JSON.parse` forgets what the text said: of two equal keys the last
 * wins, `1.0`, `1e2` and `9007199254740993` become integers. This scan runs after it, on text that it has accepted,
 * so it may trust the grammar and only has to find its way.
 */
import { limits } from '../limits.js'

export type MemberScan =
  | { readonly kind: 'members'; readonly members: ReadonlyMap<string, string> }
  | { readonly kind: 'duplicate-key' }
  | { readonly kind: 'too-deep' }
  | { readonly kind: 'not-an-object' }

/** Each top-level key with the source text of its value. `text` must be valid JSON. */
export function scanMembers(text: string): MemberScan {
  let at = skipSpace(text, 0)
  if (text[at] !== '{') return { kind: 'not-an-object' }
  const members = new Map<string, string>()
  at = skipSpace(text, at + 1)
  while (text[at] === '"') {
    const keyEnd = stringEnd(text, at)
    const key: string = JSON.parse(text.slice(at, keyEnd))
    if (members.has(key)) return { kind: 'duplicate-key' }
    at = skipSpace(text, skipSpace(text, keyEnd) + 1)
    const end = valueEnd(text, at)
    if (end === null) return { kind: 'too-deep' }
    members.set(key, text.slice(at, end))
    at = skipSpace(text, end)
    if (text[at] === ',') at = skipSpace(text, at + 1)
  }
  return { kind: 'members', members }
}

function skipSpace(text: string, from: number): number {
  let at = from
  while (text[at] === ' ' || text[at] === '\t' || text[at] === '\n' || text[at] === '\r') at++
  return at
}

/** `from` is at the opening quote; returns the index after the closing one. */
function stringEnd(text: string, from: number): number {
  let at = from + 1
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at + 1
}

/** The index after the value at `from`, or null when it nests deeper than allowed. */
function valueEnd(text: string, from: number): number | null {
  let depth = 0
  let at = from
  while (at < text.length) {
    const character = text[at]
    if (character === '"') at = stringEnd(text, at) - 1
    else if (character === '{' || character === '[') depth++
    else if (depth === 0 && (character === ',' || character === '}' || character === ']'))
      return trimEnd(text, from, at)
    else if (character === '}' || character === ']') depth--
    // The object around the value is a level of its own.
    if (depth >= limits.jsonDepthMax) return null
    at++
    if (depth === 0 && (character === '"' || character === '}' || character === ']')) return at
  }
  return at
}

function trimEnd(text: string, from: number, end: number): number {
  let at = end
  while (at > from && /\s/.test(text[at - 1] as string)) at--
  return at
}
