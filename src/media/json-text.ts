/** JSON that somebody else wrote: parsed without trust, read without a schema. Bad input is null, and never throws. */
import { Buffer } from 'node:buffer'

export type JsonObject = Readonly<Record<string, unknown>>

export function textOf(message: Uint8Array): string {
  return Buffer.prototype.utf8Slice.call(message, 0, message.length)
}

export function parseJson(text: string): unknown {
  try {
    // Some senders put a byte order mark in front (RFC 8259 §8.1).
    return JSON.parse(text.startsWith('\ufeff') ? text.slice(1) : text)
  } catch {
    // Whether a text is JSON is a question here, not a fault: some platforms send others, too.
    return undefined
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** An empty object where there is none, so that reading may go on. */
export function objectAt(object: JsonObject, name: string): JsonObject {
  const value = object[name]
  return isObject(value) ? value : {}
}

/** Null for what is no text, and for the empty one. */
export function textAt(object: JsonObject, name: string): string | null {
  const value = object[name]
  if (typeof value === 'number') return String(value)
  return typeof value === 'string' && value !== '' ? value : null
}

/** Platforms write numbers as numbers or as decimal strings, some with leading zeros. Null for anything else. */
export function wholeNumberAt(object: JsonObject, name: string): number | null {
  return wholeNumber(object[name])
}

export function wholeNumber(value: unknown): number | null {
  if (typeof value === 'string') return /^\d{1,15}$/.test(value) ? Number(value) : null
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null
}

export function textsAt(object: JsonObject, name: string): readonly string[] {
  const value = object[name]
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : []
}

/**
 * The texts of a frame: two that were queued together arrive as `{…}{…}`. A rest that is no JSON is a text too; null for a
 * frame of more than `most` texts.
 */
export function splitTexts(text: string, most: number): readonly string[] | null {
  const texts: string[] = []
  let depth = 0
  let first = 0
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (character === '"' && depth > 0) at = stringEnd(text, at)
    else if (character === '{') depth++
    else if (character === '}' && depth > 0 && --depth === 0) {
      texts.push(text.slice(first, at + 1))
      first = at + 1
      if (texts.length > most) return null
    }
  }
  if (text.slice(first).trim() !== '') texts.push(text.slice(first))
  return texts
}

/** The index of the closing quote, or the end of a text that has none. */
function stringEnd(text: string, from: number): number {
  let at = from + 1
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at
}
