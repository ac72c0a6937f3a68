/**
 * From bytes to checked words. Two ways to the same answer: `canonical-form` scans what every PBX sends and copies nothing,
 * and the complete way goes through `JSON.parse` and the schemas for everything else, and words the errors.
 * `test/protocol/decode-equality.test.ts` holds the two equal.
 */

import { Buffer } from 'node:buffer'
import { Compile } from 'typebox/compile'
import { type FieldError, VoiceStreamError } from '../errors.js'
import { limits } from '../limits.js'
import type { ExpectedTotals } from './call.js'
import { CompletionBody } from './call.js'
import { type CallId, isCallId } from './call-id.js'
import { scanCanonical } from './canonical-form.js'
import { scanMembers } from './json-members.js'
import { loneSurrogate } from './lone-surrogate.js'
import { BulkLine, PacketBody } from './packet.js'

export interface Packet {
  /** 0 where it is absent. */
  readonly track?: number
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

/** Throws `malformed_json` or `schema_violation`. */
export function decodePacket(body: Uint8Array): Packet {
  const fields = scanCanonical(body, 0, body.length)
  if (fields !== null && fields.callIdFirst < 0) {
    const { track, sequence, timestamp, dataFirst, dataEnd } = fields
    return { track, sequence, data: body.subarray(dataFirst, dataEnd), timestamp }
  }
  const object = parseObject(body)
  checkSchema(packetCheck, object)
  return decodeFields(object)
}

/** One line of NDJSON, without its line end. Throws as `decodePacket` does. */
export function decodeBulkLine(bytes: Uint8Array, first: number, end: number): BulkPacket {
  const fields = scanCanonical(bytes, first, end)
  if (fields !== null && fields.callIdFirst >= 0) {
    const callId = Buffer.prototype.latin1Slice.call(bytes, fields.callIdFirst, fields.callIdEnd)
    if (isCallId(callId)) {
      const { track, sequence, timestamp, dataFirst, dataEnd } = fields
      // One literal: to spread a packet into another object costs more than to make it.
      return { callId, track, sequence, data: bytes.subarray(dataFirst, dataEnd), timestamp }
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
export function decodeCompletion(body: Uint8Array): ExpectedTotals {
  const object = parseObject(body)
  checkSchema(completionCheck, object)
  const { total_packets: total, totals } = object.values as CompletionBody
  if (total !== undefined) checkIntegerText(object, 'total_packets')
  if (totals === undefined) {
    if (total === undefined)
      throw violation([{ path: '', message: 'must have required properties total_packets' }])
    return { totalPackets: total }
  }
  const written = parseObject(Buffer.from(object.texts.get('totals') as string))
  const byTrack: (number | null)[] = [total ?? null]
  for (const [name, value] of Object.entries(totals)) {
    checkIntegerText(written, name, '/totals')
    const track = Number(name)
    if (track === 0 && total !== undefined && total !== value)
      throw violation([{ path: '/totals/0', message: 'must be total_packets, where both stand' }])
    while (byTrack.length <= track) byTrack.push(null)
    byTrack[track] = value
  }
  const [totalPackets = null] = byTrack
  if (byTrack.every((value) => value === null))
    throw violation([{ path: '/totals', message: 'must name a track' }])
  return byTrack.length === 1 ? { totalPackets } : { totalPackets, totals: byTrack }
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
      throw malformed('duplicate key')
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
  if (object.texts.has('track')) checkIntegerText(object, 'track')
  // The schemas have been checked: these casts say what they said.
  const {
    track = 0,
    sequence,
    data,
    timestamp,
  } = object.values as {
    track?: number
    sequence: number
    data: string
    timestamp: number
  }
  if (!Number.isFinite(timestamp)) throw violation([{ path: '/timestamp', message: 'must be finite' }])
  checkText('/data', data)
  const bytes = Buffer.from(data, 'utf8')
  if (bytes.length > limits.dataBytesMax) throw dataTooLong(bytes.length)
  return { track, sequence, data: bytes, timestamp }
}

export function checkIntegerText(object: ParsedObject, key: string, within = ''): void {
  const text = object.texts.get(key) as string
  if (!integerText.test(text))
    throw violation([{ path: `${within}/${key}`, message: 'must be written as an integer, in digits only' }])
}

/** JSON can write both, UTF-8 and C cannot. */
export function checkText(path: string, text: string): void {
  if (loneSurrogate.test(text)) throw violation([{ path, message: 'must not contain a lone surrogate' }])
  if (text.includes('\u0000')) throw violation([{ path, message: 'must not contain U+0000' }])
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
