/**
 * A scan of a media message in the form in which platforms send it: members in any order, plain ASCII, numbers as digits with or
 * without quotes. It copies nothing and never refuses; it only says "not this form", and `JSON.parse` decides.
 */
import { Buffer } from 'node:buffer'

export interface MediaFields {
  /** −1 where there is none. */
  sequence: number
  chunk: number
  timestamp: number
  /** Indexes into the message; the first is −1 where there is none. */
  trackFirst: number
  trackEnd: number
  streamFirst: number
  streamEnd: number
  payloadFirst: number
  payloadEnd: number
}

export interface ScanKeys {
  readonly sequence: Uint8Array
  /** Whose streams these are: `streamSid` and its relatives. */
  readonly stream: Uint8Array
}

export function scanKeys(sequence: string, stream: string): ScanKeys {
  return { sequence: Buffer.from(sequence), stream: Buffer.from(stream) }
}

/** One instance, filled anew by every scan: the scan must cost no allocation. */
const fields: MediaFields = {
  sequence: -1,
  chunk: -1,
  timestamp: -1,
  trackFirst: -1,
  trackEnd: -1,
  streamFirst: -1,
  streamEnd: -1,
  payloadFirst: -1,
  payloadEnd: -1,
}

const quote = 0x22
const backslash = 0x5c
const space = 0x20
const colon = 0x3a
const comma = 0x2c
const open = 0x7b
const close = 0x7d
const zero = 0x30
const digitsMax = 15

const eventKey = Buffer.from('event')
const mediaKey = Buffer.from('media')
const trackKey = Buffer.from('track')
const chunkKey = Buffer.from('chunk')
const timestampKey = Buffer.from('timestamp')
const payloadKey = Buffer.from('payload')

/** The last name, string or number that was read: a second result of those that return where it ends. */
let textFirst = 0
let textEnd = 0

/** Null when the message is no media message of this form. The answer is valid until the next scan. */
export function scanMedia(bytes: Uint8Array, keys: ScanKeys): Readonly<MediaFields> | null {
  fields.sequence = fields.chunk = fields.timestamp = -1
  fields.trackFirst = fields.streamFirst = fields.payloadFirst = -1
  if (bytes[0] !== open) return null
  let isMedia = false
  let hasMedia = false
  let at = 1
  for (;;) {
    at = nameEnd(bytes, at)
    if (at < 0) return null
    const first = textFirst
    const length = textEnd - first
    if (length === 5 && isText(bytes, first, mediaKey)) {
      if (hasMedia) return null
      hasMedia = true
      at = scanMembers(bytes, at)
    } else {
      at = valueEnd(bytes, at)
      if (at < 0) return null
      if (length === 5 && isText(bytes, first, eventKey)) {
        if (isMedia || textEnd - textFirst !== 5 || !isText(bytes, textFirst, mediaKey)) return null
        isMedia = true
      } else if (length === keys.sequence.length && isText(bytes, first, keys.sequence)) {
        if (fields.sequence >= 0) return null
        fields.sequence = digits(bytes)
        if (fields.sequence < 0) return null
      } else if (length === keys.stream.length && isText(bytes, first, keys.stream)) {
        if (fields.streamFirst >= 0) return null
        fields.streamFirst = textFirst
        fields.streamEnd = textEnd
      }
    }
    if (at < 0) return null
    at = skipSpace(bytes, at)
    if (bytes[at] !== comma) break
    at++
  }
  const isWhole = bytes[at] === close && skipSpace(bytes, at + 1) === bytes.length
  return isWhole && isMedia && hasMedia && fields.payloadFirst >= 0 ? fields : null
}

/** The members of `media`; returns the index after its brace, or −1. */
function scanMembers(bytes: Uint8Array, from: number): number {
  if (bytes[from] !== open) return -1
  let at = from + 1
  for (;;) {
    at = nameEnd(bytes, at)
    if (at < 0) return -1
    const first = textFirst
    const length = textEnd - first
    at = valueEnd(bytes, at)
    if (at < 0 || !keepMember(bytes, first, length)) return -1
    at = skipSpace(bytes, at)
    if (bytes[at] !== comma) return bytes[at] === close ? at + 1 : -1
    at++
  }
}

/** False for a member that comes twice, or is not of its kind. */
function keepMember(bytes: Uint8Array, first: number, length: number): boolean {
  if (length === 5 && isText(bytes, first, trackKey)) {
    if (fields.trackFirst >= 0) return false
    fields.trackFirst = textFirst
    fields.trackEnd = textEnd
  } else if (length === 5 && isText(bytes, first, chunkKey)) {
    if (fields.chunk >= 0) return false
    fields.chunk = digits(bytes)
    return fields.chunk >= 0
  } else if (length === 9 && isText(bytes, first, timestampKey)) {
    if (fields.timestamp >= 0) return false
    fields.timestamp = digits(bytes)
    return fields.timestamp >= 0
  } else if (length === 7 && isText(bytes, first, payloadKey)) {
    if (fields.payloadFirst >= 0 || bytes[textFirst - 1] !== quote) return false
    fields.payloadFirst = textFirst
    fields.payloadEnd = textEnd
  }
  return true
}

/** Past a name and its colon, to the value; −1 for anything else. The name is between `textFirst` and `textEnd`. */
function nameEnd(bytes: Uint8Array, from: number): number {
  let at = skipSpace(bytes, from)
  if (bytes[at] !== quote) return -1
  at = stringEnd(bytes, at + 1)
  if (at < 0) return -1
  at = skipSpace(bytes, at)
  return bytes[at] === colon ? skipSpace(bytes, at + 1) : -1
}

/** Past a string or digits; −1 for any other value. */
function valueEnd(bytes: Uint8Array, from: number): number {
  if (bytes[from] === quote) return stringEnd(bytes, from + 1)
  let at = from
  while (isDigit(bytes[at])) at++
  textFirst = from
  textEnd = at
  return at === from || (bytes[from] === zero && at > from + 1) ? -1 : at
}

const shortCharacters = 48
/** 1 for what stands for itself in a string. */
const plain = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= space && byte < 0x7f && byte !== quote && byte !== backslash ? 1 : 0,
)

/** `first` is after the opening quote; returns the index after the closing one, −1 for an escape, a control or no ASCII. */
function stringEnd(bytes: Uint8Array, first: number): number {
  let at = first
  const soon = first + shortCharacters
  while (plain[bytes[at] as number] === 1 && at < soon) at++
  if (bytes[at] === quote) {
    textFirst = first
    textEnd = at
    return at + 1
  }
  return at < soon ? -1 : longStringEnd(bytes, first)
}

/** A payload: its end is found by native code. What else it may hold than base64 was no JSON, or is no base64 either. */
function longStringEnd(bytes: Uint8Array, first: number): number {
  const end = bytes.indexOf(quote, first)
  if (end < 0) return -1
  const escaped = bytes.indexOf(backslash, first)
  if (escaped >= 0 && escaped < end) return -1
  textFirst = first
  textEnd = end
  return end + 1
}

function digits(bytes: Uint8Array): number {
  if (textEnd === textFirst || textEnd - textFirst > digitsMax) return -1
  let value = 0
  for (let at = textFirst; at < textEnd; at++) {
    if (!isDigit(bytes[at])) return -1
    value = value * 10 + (bytes[at] as number) - zero
  }
  return value
}

function isText(bytes: Uint8Array, at: number, text: Uint8Array): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text[i]) return false
  return true
}

function skipSpace(bytes: Uint8Array, from: number): number {
  let at = from
  while (bytes[at] === space) at++
  return at
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= zero && byte <= zero + 9
}
