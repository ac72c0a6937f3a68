/**
 * A scan of the canonical form of a packet: a flat object with plain ASCII strings, as every PBX sends it. It copies
 * nothing and never refuses; it only says "not canonical", and the complete way (`decode`) decides.
 */
import { Buffer } from 'node:buffer'
import { limits } from '../limits.js'

export interface CanonicalFields {
  track: number
  sequence: number
  timestamp: number
  dataFirst: number
  dataEnd: number
  callIdFirst: number
  callIdEnd: number
}

/** One instance, filled anew by every scan: the scan must cost no allocation. */
const fields: CanonicalFields = {
  track: 0,
  sequence: 0,
  timestamp: 0,
  dataFirst: 0,
  dataEnd: 0,
  callIdFirst: -1,
  callIdEnd: -1,
}

const quote = 0x22
const backslash = 0x5c
const space = 0x20
const zero = 0x30
const nine = 0x39

/** Null when the text is not of the canonical form or a value is out of bounds: then the complete way decides. */
export function scanCanonical(
  bytes: Uint8Array,
  first: number,
  end: number,
): Readonly<CanonicalFields> | null {
  fields.callIdFirst = -1
  fields.track = 0
  let seen = 0
  let at = first
  if (bytes[at++] !== 0x7b) return null
  for (;;) {
    while (bytes[at] === space) at++
    if (bytes[at] !== quote) return null
    const key = at + 1
    at = plainStringEnd(bytes, key, end)
    if (at < 0) return null
    const keyLength = at++ - key
    while (bytes[at] === space) at++
    if (bytes[at++] !== 0x3a) return null
    while (bytes[at] === space) at++
    const member = memberOf(bytes, key, keyLength)
    if (member === 0 || (seen & member) !== 0) return null
    seen |= member
    at = scanValue(bytes, at, end, member)
    if (at < 0) return null
    while (bytes[at] === space) at++
    if (bytes[at] !== 0x2c) break
    at++
  }
  if (bytes[at++] !== 0x7d) return null
  while (at < end && (bytes[at] === space || bytes[at] === 0x0a || bytes[at] === 0x0d)) at++
  return at === end && (seen & 7) === 7 ? fields : null
}

/** 1 sequence, 2 data, 4 timestamp, 8 call_id, 16 track, 0 none; told apart by length and first letter, then compared whole. */
function memberOf(bytes: Uint8Array, at: number, length: number): number {
  if (length === 8 && keyIs(bytes, at, sequenceKey)) return 1
  if (length === 4 && keyIs(bytes, at, dataKey)) return 2
  if (length === 9 && keyIs(bytes, at, timestampKey)) return 4
  if (length === 7 && keyIs(bytes, at, callIdKey)) return 8
  if (length === 5 && keyIs(bytes, at, trackKey)) return 16
  return 0
}

const sequenceKey = Buffer.from('sequence')
const dataKey = Buffer.from('data')
const timestampKey = Buffer.from('timestamp')
const callIdKey = Buffer.from('call_id')
const trackKey = Buffer.from('track')

function keyIs(bytes: Uint8Array, at: number, key: Uint8Array): boolean {
  for (let i = 0; i < key.length; i++) if (bytes[at + i] !== key[i]) return false
  return true
}

function scanValue(bytes: Uint8Array, first: number, end: number, member: number): number {
  if (member === 1) return scanSequence(bytes, first)
  if (member === 4) return scanDecimal(bytes, first)
  if (member === 16) return scanTrack(bytes, first)
  if (bytes[first] !== quote) return -1
  const close = plainStringEnd(bytes, first + 1, end)
  if (close < 0) return -1
  if (member === 2) {
    const length = close - first - 1
    if (length < 1 || length > limits.dataBytesMax) return -1
    fields.dataFirst = first + 1
    fields.dataEnd = close
  } else {
    fields.callIdFirst = first + 1
    fields.callIdEnd = close
  }
  return close + 1
}

/** `first` is after the opening quote; returns the index of the closing one, −1 for an escape, a control or no ASCII. */
function plainStringEnd(bytes: Uint8Array, first: number, end: number): number {
  for (let at = first; at < end; at++) {
    const byte = bytes[at] as number
    if (byte === quote) return at
    if (byte < space || byte >= 0x7f || byte === backslash) return -1
  }
  return -1
}

function scanSequence(bytes: Uint8Array, first: number): number {
  let at = first
  let value = 0
  while (isDigit(bytes[at]) && at - first <= 10) value = value * 10 + (bytes[at++] as number) - zero
  const digits = at - first
  if (digits === 0 || (digits > 1 && bytes[first] === zero) || value > limits.sequenceMax) return -1
  fields.sequence = value
  return at
}

function scanTrack(bytes: Uint8Array, first: number): number {
  const track = (bytes[first] as number) - zero
  if (!(track >= 0 && track < limits.tracksMax) || isDigit(bytes[first + 1])) return -1
  fields.track = track
  return first + 1
}

/**
 * Digits, a point, digits: at most 15 of them, so that they and the power of ten are exact as numbers, and their
 * quotient is the number that the text says, correctly rounded (Clinger, "How to read floating point numbers
 * accurately", 1990). The complete way decides on everything else, 0 and 0.5 included.
 */
function scanDecimal(bytes: Uint8Array, first: number): number {
  let at = first
  let digits = 0
  let scale = 1
  while (isDigit(bytes[at])) digits = digits * 10 + (bytes[at++] as number) - zero
  if (at === first || bytes[first] === zero) return -1
  let count = at - first
  if (bytes[at] === 0x2e) {
    const point = at++
    while (isDigit(bytes[at])) {
      digits = digits * 10 + (bytes[at++] as number) - zero
      scale *= 10
    }
    if (at === point + 1) return -1
    count = at - first - 1
  }
  if (count > 15) return -1
  fields.timestamp = digits / scale
  return at
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= zero && byte <= nine
}
