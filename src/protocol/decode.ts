/**
 * From bytes to checked words. Two ways to the same answer: a scan of the canonical form (a flat object with plain
 * ASCII strings, as every PBX sends it) that copies nothing, and the complete way through `JSON.parse` and the
 * schemas for everything else, which also words the errors. The scan never refuses; it only says "not canonical".
 * `test/protocol/decode.test.ts` holds the two equal.
 */
import { Buffer, isUtf8 } from 'node:buffer'
import { Compile } from 'typebox/compile'
import { type FieldError, VoiceStreamError } from '../errors.js'
import { limits } from '../limits.js'
import { CompletionBody } from './call.js'
import { type CallId, isCallId } from './call-id.js'
import { scanMembers } from './json-members.js'
import { BulkLine, PacketBody } from './packet.js'

export interface Packet {
  readonly sequence: number
  /** UTF-8. A view of the request body in the canonical case: valid in this turn of the loop only. */
  readonly data: Uint8Array
  /** Seconds, the sender's clock. */
  readonly timestamp: number
}

export interface BulkPacket extends Packet {
  readonly callId: CallId
}

const packetCheck = Compile(PacketBody)
const lineCheck = Compile(BulkLine)
const completionCheck = Compile(CompletionBody)
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const integerText = /^(?:0|[1-9]\d*)$/
const loneSurrogate = /\p{Surrogate}/u

/** Throws `malformed_json` or `schema_violation`. */
export function decodePacket(body: Uint8Array): Packet {
  const fields = scanCanonical(body, 0, body.length)
  if (fields !== null && fields.callIdFirst < 0) return canonicalPacket(body, fields)
  const object = parseObject(body)
  checkSchema(packetCheck, object)
  return decodeFields(object)
}

/** One line of NDJSON, without its line end. Throws as `decodePacket` does. */
export function decodeBulkLine(bytes: Uint8Array, first: number, end: number): BulkPacket {
  const fields = scanCanonical(bytes, first, end)
  if (fields !== null && fields.callIdFirst >= 0) {
    const callId = latin1(bytes, fields.callIdFirst, fields.callIdEnd)
    if (isCallId(callId)) {
      const { sequence, timestamp, dataFirst, dataEnd } = fields
      // One literal: to spread a packet into another object costs more than to make it.
      return { callId, sequence, data: bytes.subarray(dataFirst, dataEnd), timestamp }
    }
  }
  const object = parseObject(bytes.subarray(first, end))
  checkSchema(lineCheck, object)
  const callId = object.values['call_id']
  if (typeof callId !== 'string' || !isCallId(callId))
    throw violation([{ path: '/call_id', message: 'is not a call id' }])
  return { callId, ...decodeFields(object) }
}

/** Throws as `decodePacket` does. */
export function decodeCompletion(body: Uint8Array): { totalPackets: number } {
  const object = parseObject(body)
  checkSchema(completionCheck, object)
  checkIntegerText(object, 'total_packets')
  return { totalPackets: object.values['total_packets'] as number }
}

/** Nothing, or an object without members that matter. Throws as `decodePacket` does. */
export function checkEmpty(body: Uint8Array): void {
  if (body.length > 0) parseObject(body)
}

// --- the complete way ---------------------------------------------------------------------------------------------

export interface ParsedObject {
  /** Without a prototype, so that a key named `__proto__` is a key. */
  readonly values: Record<string, unknown>
  readonly texts: ReadonlyMap<string, string>
}

export function parseObject(body: Uint8Array): ParsedObject {
  const text = decodeText(body)
  const values = parseText(text)
  const scan = scanMembers(text)
  switch (scan.kind) {
    case 'not-an-object':
      throw violation([{ path: '', message: 'must be an object' }])
    case 'duplicate-key':
      throw malformed('a key stands twice')
    case 'too-deep':
      throw malformed(`nests deeper than ${limits.jsonDepthMax} levels`)
    case 'members':
      for (const key of ['__proto__', 'constructor', 'prototype'])
        if (scan.members.has(key)) throw malformed(`the key ${JSON.stringify(key)} is not allowed`)
      return { values: values as Record<string, unknown>, texts: scan.members }
  }
}

function decodeText(body: Uint8Array): string {
  try {
    return decoder.decode(body)
  } catch (cause) {
    throw new VoiceStreamError('malformed_json', 'the body is not valid UTF-8', { cause })
  }
}

function parseText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    // The parser's own message quotes the text, which may be somebody's call.
    throw new VoiceStreamError('malformed_json', 'the body is not valid JSON', { cause })
  }
}

interface SchemaCheck {
  Check(value: unknown): boolean
  Errors(
    value: unknown,
  ):
    | readonly { instancePath: string; message: string }[]
    | Iterable<{ instancePath: string; message: string }>
}

export function checkSchema(check: SchemaCheck, object: ParsedObject): void {
  if (check.Check(object.values)) return
  const errors: FieldError[] = []
  for (const error of check.Errors(object.values))
    errors.push({ path: error.instancePath, message: error.message })
  throw violation(errors.slice(0, 20))
}

function decodeFields(object: ParsedObject): Packet {
  checkIntegerText(object, 'sequence')
  // The schemas have been checked: these casts say what they said.
  const { sequence, data, timestamp } = object.values as { sequence: number; data: string; timestamp: number }
  if (!Number.isFinite(timestamp)) throw violation([{ path: '/timestamp', message: 'must be finite' }])
  if (loneSurrogate.test(data))
    throw violation([{ path: '/data', message: 'must not contain a lone surrogate' }])
  if (data.includes('\u0000')) throw violation([{ path: '/data', message: 'must not contain U+0000' }])
  const bytes = Buffer.from(data, 'utf8')
  if (bytes.length > limits.dataBytesMax) throw dataTooLong(bytes.length)
  return { sequence, data: bytes, timestamp }
}

export function checkIntegerText(object: ParsedObject, key: string, within = ''): void {
  const text = object.texts.get(key) as string
  if (!integerText.test(text))
    throw violation([{ path: `${within}/${key}`, message: 'must be written as an integer, in digits only' }])
}

function malformed(detail: string): VoiceStreamError {
  return new VoiceStreamError('malformed_json', detail)
}

export function violation(fields: readonly FieldError[]): VoiceStreamError {
  const first = fields[0]
  return new VoiceStreamError(
    'schema_violation',
    first === undefined ? 'invalid' : `${first.path || 'the body'} ${first.message}`,
    {
      fields,
    },
  )
}

function dataTooLong(bytes: number): VoiceStreamError {
  return violation([
    { path: '/data', message: `has ${bytes} bytes, and at most ${limits.dataBytesMax} are allowed` },
  ])
}

// --- the canonical form -------------------------------------------------------------------------------------------

interface CanonicalFields {
  sequence: number
  timestamp: number
  dataFirst: number
  dataEnd: number
  callIdFirst: number
  callIdEnd: number
}

/** One instance, filled anew by every scan: the scan must cost no allocation. */
const fields: CanonicalFields = {
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

function canonicalPacket(body: Uint8Array, found: CanonicalFields): Packet {
  return {
    sequence: found.sequence,
    data: body.subarray(found.dataFirst, found.dataEnd),
    timestamp: found.timestamp,
  }
}

function latin1(bytes: Uint8Array, first: number, end: number): string {
  return Buffer.prototype.latin1Slice.call(bytes, first, end)
}

/** Null when the text is not of the canonical form or a value is out of bounds: then the complete way decides. */
function scanCanonical(bytes: Uint8Array, first: number, end: number): CanonicalFields | null {
  fields.callIdFirst = -1
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

/** 1 sequence, 2 data, 4 timestamp, 8 call_id, 0 none; told apart by length and first letter, then compared whole. */
function memberOf(bytes: Uint8Array, at: number, length: number): number {
  if (length === 8 && keyIs(bytes, at, sequenceKey)) return 1
  if (length === 4 && keyIs(bytes, at, dataKey)) return 2
  if (length === 9 && keyIs(bytes, at, timestampKey)) return 4
  if (length === 7 && keyIs(bytes, at, callIdKey)) return 8
  return 0
}

const sequenceKey = Buffer.from('sequence')
const dataKey = Buffer.from('data')
const timestampKey = Buffer.from('timestamp')
const callIdKey = Buffer.from('call_id')

function keyIs(bytes: Uint8Array, at: number, key: Uint8Array): boolean {
  for (let i = 0; i < key.length; i++) if (bytes[at + i] !== key[i]) return false
  return true
}

function scanValue(bytes: Uint8Array, first: number, end: number, member: number): number {
  if (member === 1) return scanSequence(bytes, first)
  if (member === 4) return scanDecimal(bytes, first)
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

/** For whoever reads data back: it went in as UTF-8 and must still be. */
export function textOf(data: Uint8Array): string {
  if (!isUtf8(data)) throw new VoiceStreamError('read_failed', 'stored data is no longer valid UTF-8')
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('utf8')
}
