/**
 * The answers of the service's HTTP contract, decoded. Pure. Every decoder throws a `SimulateError` with code `breach`
 * when the text is not what the contract says; fields that the simulator does not use are not looked at.
 */
import { SimulateError } from './errors.js'
import type { PacketVerdict, Range } from './send-log.js'

export interface Receipt {
  readonly verdict: PacketVerdict
  readonly sequence: number
  readonly totalReceived: number
  readonly missingSequences: readonly number[]
  readonly missingCount: number
}

export interface TrackView {
  readonly track: number
  readonly totalReceived: number
  readonly expectedTotalPackets: number | null
  readonly highestSequence: number | null
  readonly missingCount: number
  /** The first 100 ranges. */
  readonly missingRanges: readonly Range[]
  readonly lateCount: number
}

/** A media stream, and from which number on its voices came into which tracks. */
export interface LegView {
  readonly leg: string
  readonly isEnded: boolean
  readonly tracks: readonly { readonly track: number; readonly firstSequence: number }[]
}

export interface CallView {
  readonly state: string
  readonly totalReceived: number
  readonly expectedTotalPackets: number | null
  readonly highestSequence: number | null
  readonly missingCount: number
  /** The first 100 ranges, of track 0. */
  readonly missingRanges: readonly Range[]
  readonly surplusCount: number
  readonly lateCount: number
  readonly duplicateCount: number
  /** Null where the call has only track 0, and nobody has named it. */
  readonly tracks: readonly TrackView[] | null
  /** Oldest first. */
  readonly legs: readonly LegView[]
  /** Packets of its media streams that the service dropped, because more came than it takes or can store. */
  readonly shedCount: number
  readonly transcription: string | null
  readonly error: string | null
}

export interface StoredPacket {
  readonly sequence: number
  readonly data: string
  readonly timestamp: number
}

export interface GapsPage {
  readonly gaps: readonly Range[]
  readonly nextFrom: number | null
}

export interface PacketsPage {
  readonly packets: readonly StoredPacket[]
  readonly nextFrom: number | null
}

export function decodeReceipt(body: string): Receipt {
  const receipt = parseObject(body, 'the receipt')
  const status = text(receipt, 'status')
  if (status !== 'accepted' && status !== 'duplicate' && status !== 'rejected')
    throw breach(`the receipt's status is ${JSON.stringify(status)}`)
  return {
    verdict: status,
    sequence: integer(receipt, 'sequence'),
    totalReceived: integer(receipt, 'total_received'),
    missingSequences: list(receipt, 'missing_sequences').map((entry) =>
      entryInteger(entry, 'missing_sequences'),
    ),
    missingCount: integer(receipt, 'missing_count'),
  }
}

export function decodeCallView(body: string): CallView {
  const view = parseObject(body, 'the call view')
  const ai = isObject(view['ai']) ? view['ai'] : {}
  return {
    state: text(view, 'state'),
    totalReceived: integer(view, 'total_received'),
    expectedTotalPackets: orNull(view, 'expected_total_packets', integer),
    highestSequence: orNull(view, 'highest_sequence', integer),
    missingCount: integer(view, 'missing_count'),
    missingRanges: ranges(view, 'missing_ranges'),
    surplusCount: integer(view, 'surplus_count'),
    lateCount: integer(view, 'late_count'),
    duplicateCount: integer(view, 'duplicate_count'),
    tracks: orNull(view, 'tracks', (fields, name) => objects(fields, name).map(decodeTrack)),
    legs: orNull(view, 'legs', (fields, name) => objects(fields, name).map(decodeLeg)) ?? [],
    shedCount: shedCountOf(view),
    transcription: orNull(ai, 'transcription', text),
    error: typeof ai['error'] === 'string' ? ai['error'] : null,
  }
}

function shedCountOf(view: Fields): number {
  const notes = orNull(view, 'notes', objects) ?? []
  return notes
    .filter((note) => note['text'] === 'shed')
    .reduce((sum, note) => sum + integer(note, 'packets'), 0)
}

function decodeTrack(view: Fields): TrackView {
  return {
    track: integer(view, 'track'),
    totalReceived: integer(view, 'total_received'),
    expectedTotalPackets: orNull(view, 'expected_total_packets', integer),
    highestSequence: orNull(view, 'highest_sequence', integer),
    missingCount: integer(view, 'missing_count'),
    missingRanges: ranges(view, 'missing_ranges'),
    lateCount: integer(view, 'late_count'),
  }
}

function decodeLeg(view: Fields): LegView {
  const tracks = objects(view, 'tracks').map((track) => ({
    track: integer(track, 'track'),
    firstSequence: integer(track, 'first_sequence'),
  }))
  return { leg: text(view, 'leg'), isEnded: orNull(view, 'ended_at', text) !== null, tracks }
}

export function decodeGapsPage(body: string): GapsPage {
  const page = parseObject(body, 'the page of gaps')
  return { gaps: ranges(page, 'gaps'), nextFrom: orNull(page, 'next_from', integer) }
}

export function decodePacketsPage(body: string): PacketsPage {
  const page = parseObject(body, 'the page of packets')
  const packets = objects(page, 'packets').map(({ sequence, data, timestamp }) => {
    if (typeof data !== 'string' || typeof timestamp !== 'number')
      throw breach('"packets" holds a packet without data or timestamp')
    return { sequence: entryInteger(sequence, 'packets'), data, timestamp }
  })
  return { packets, nextFrom: orNull(page, 'next_from', integer) }
}

/** The `detail` or `title` of a problem document (RFC 9457), or an empty string: for messages only. */
export function readProblemDetail(body: string): string {
  try {
    const problem: unknown = JSON.parse(body)
    if (!isObject(problem)) return ''
    const detail = problem['detail'] ?? problem['title']
    return typeof detail === 'string' ? detail : ''
  } catch {
    // Not JSON, so it has no detail; the status says enough.
    return ''
  }
}

type Fields = Readonly<Record<string, unknown>>

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parseObject(body: string, name: string): Fields {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch (error) {
    throw breach(`${name} is not JSON`, error)
  }
  if (!isObject(value)) throw breach(`${name} is not a JSON object`)
  return value
}

function text(fields: Fields, name: string): string {
  const value = fields[name]
  if (typeof value !== 'string') throw breach(`"${name}" is not a string`)
  return value
}

function integer(fields: Fields, name: string): number {
  return entryInteger(fields[name], name)
}

function entryInteger(value: unknown, name: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw breach(`"${name}" is not an integer`)
  return value
}

function list(fields: Fields, name: string): readonly unknown[] {
  const value = fields[name]
  if (!Array.isArray(value)) throw breach(`"${name}" is not a list`)
  return value
}

function objects(fields: Fields, name: string): readonly Fields[] {
  return list(fields, name).map((entry) => {
    if (!isObject(entry)) throw breach(`"${name}" holds something else than objects`)
    return entry
  })
}

function ranges(fields: Fields, name: string): Range[] {
  return list(fields, name).map((entry) => {
    if (!Array.isArray(entry) || entry.length !== 2)
      throw breach(`"${name}" holds something else than ranges`)
    return [entryInteger(entry[0], name), entryInteger(entry[1], name)]
  })
}

function orNull<Value>(
  fields: Fields,
  name: string,
  decode: (fields: Fields, name: string) => Value,
): Value | null {
  const value = fields[name]
  return value === null || value === undefined ? null : decode(fields, name)
}

function breach(fact: string, cause?: unknown): SimulateError {
  return new SimulateError('breach', fact, cause)
}
