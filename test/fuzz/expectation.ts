/**
 * What the contract says of a request: which answers it may get and what it does to calls. Read from the bytes alone, by
 * the strict reading of `strict-request` and the naive decoder, so that the service is judged by none of its own code.
 */
import { type NaivePacket, naiveDecode } from '../protocol/naive-decode.js'
import { type NaiveRefusal, naiveObject } from '../protocol/naive-json.js'
import { contentHash } from '../torture/attempts.js'
import type { Admission } from './admission.js'
import { bystanders, endedBystanders } from './bystanders.js'
import { callIdOf } from './call-id.js'
import { expectRead } from './expected-reads.js'
import type { FuzzInput } from './input.js'
import { type NaiveStart, naiveStart } from './naive-start.js'
import type { Answer } from './socket-exchange.js'
import { readStream, type StrictRequest, valuesOf } from './strict-request.js'

export interface PacketEffect {
  readonly call: string
  readonly sequence: number
  readonly hash: string
}

export interface CompletionEffect {
  readonly call: string
  readonly totalPackets: number
}

export interface StartEffect {
  readonly call: string
  readonly said: NaiveStart
}

/** Numbers of lines, counted from 1: those that are not blank, and those of them that are invalid. */
export interface ExpectedLines {
  readonly numbers: readonly number[]
  readonly invalid: readonly number[]
}

export interface ExpectedRequest {
  readonly certainty: 'plain' | 'lenient'
  readonly method: string
  /** Null: whatever is no 5xx. */
  readonly statuses: readonly number[] | null
  readonly packets: readonly PacketEffect[]
  readonly completion: CompletionEffect | null
  readonly start: StartEffect | null
  /** Of a bulk request; null for another one. */
  readonly lines: ExpectedLines | null
  /** What is wrong with an answer of these statuses, or null. */
  readonly fault: (answer: Answer) => string | null
}

export interface Expectation {
  readonly requests: readonly ExpectedRequest[]
  readonly rest: 'nothing' | 'truncated' | 'malformed'
  /** uWebSockets.js answers 505 to a request that comes in parts that end inside its request line. */
  readonly isSplitInLine: boolean
}

export function expectationOf({ writes }: FuzzInput, admission: Admission): Expectation {
  const bytes = Buffer.concat(writes)
  const stream = readStream(bytes)
  let sent = 0
  const cuts = writes.map((bytes) => {
    sent += bytes.length
    return sent
  })
  const isSplitInLine = stream.requests.some(({ start, lineEnd }) =>
    cuts.some((cut) => cut > start && cut < lineEnd + 2),
  )
  const expected = (request: StrictRequest) => expect(request, admission(request))
  const requests = stream.requests.map(expected)
  if (stream.rest === 'malformed') requests.push(...laterRequests(bytes, cuts, stream.end).map(expected))
  return { requests, rest: stream.rest, isSplitInLine }
}

/**
 * Some heads that are none (a line without its space, a field without its colon) uWebSockets.js throws away without an
 * answer, and goes on with what comes in a later write. In the same write nothing may be hidden behind them.
 */
function laterRequests(bytes: Buffer, cuts: readonly number[], end: number): readonly StrictRequest[] {
  const later = cuts.filter((cut) => cut > end && cut < bytes.length)
  for (const cut of later) {
    const { requests } = readStream(bytes, cut)
    if (requests.length > 0) return requests.map((request) => ({ ...request, certainty: 'lenient' }))
  }
  return []
}

const everyBystander: readonly string[] = Object.values(bystanders)
const bodyBytesMax = 65_536
const bulkBytesMax = 4 * 2 ** 20

const routes = /^\/v1\/call\/(stream|complete|start|retry)\/([^/]+)$/s
/** What makes a call, or ends one. */
const unaffected = { packets: [], completion: null, start: null, lines: null, fault: () => null }

function expect(request: StrictRequest, refusals: readonly number[] | null): ExpectedRequest {
  const { method, target, certainty } = request
  const expected = { ...unaffected, certainty, method, statuses: refusals }
  if (refusals !== null) return expected
  if (method === 'POST') return { ...expected, ...expectPost(request) }
  const read = method === 'GET' || method === 'HEAD' ? expectRead(request) : null
  if (read !== null) return { ...expected, ...read }
  const [, erased] = method === 'DELETE' ? (/^\/v1\/call\/([^/?#]+)$/s.exec(target) ?? []) : []
  return {
    ...expected,
    statuses: erased === undefined ? null : callIdOf(erased) === null ? [400] : [204, 404],
  }
}

type ExpectedEffect = Pick<ExpectedRequest, 'statuses'> & Partial<ExpectedRequest>
const problemBytesMax = 16_384
const refused = (...statuses: number[]): ExpectedEffect => ({
  statuses,
  fault: ({ body }) =>
    body.length > problemBytesMax ? `an error of ${body.length} bytes quotes without a bound` : null,
})

const isJsonType = (type = '') =>
  type === '' || type === 'application/json' || /^application\/[^\s/;,]+\+json$/.test(type)
const isLinesType = (type = '') =>
  type === '' || /^application\/((x-)?ndjson|(x-)?jsonl|(x-)?jsonlines)$/.test(type)

function expectPost({ target, headers, body: sent }: StrictRequest): ExpectedEffect {
  const [path = ''] = target.split('?', 1)
  // It writes to no call.
  if (path === '/v1/supervisor/ticket') return { statuses: null }
  const isBulk = path === '/v1/packets'
  const [, route = '', segment = ''] = routes.exec(path) ?? []
  if (!isBulk && route === '') return refused(404, 405)

  // Of several it may take any.
  const types = valuesOf(headers, 'content-type').map((value) => value.split(';', 1)[0]?.trim().toLowerCase())
  if (types.length > 0 && !types.some(isBulk ? isLinesType : isJsonType)) return refused(415)
  if (sent.length > (isBulk ? bulkBytesMax : bodyBytesMax)) return refused(413)
  const body = sent.subarray(sent.subarray(0, 3).toString('hex') === 'efbbbf' ? 3 : 0)
  if (isBulk) return { statuses: [202], ...linesOf(body) }
  const call = callIdOf(segment)
  if (call === null) return refused(400)
  if (route === 'complete') return expectCompletion(call, body)
  if (route === 'start') return expectStart(call, body)
  if (route === 'retry') return expectRetry(call, body)
  const packet = naiveDecode(body, false)
  if (typeof packet === 'string') return refused(statusOf(packet))
  return { statuses: [202], packets: [effectOf(call, packet)] }
}

function expectCompletion(call: string, body: Buffer): ExpectedEffect {
  const total = naiveTotal(body)
  if (typeof total === 'string') return refused(statusOf(total))
  return { statuses: [202, 404, 409], completion: { call, totalPackets: total } }
}

/** Only other media than those of packets that are stored are in conflict with a call that has not ended. */
function expectStart(call: string, body: Buffer): ExpectedEffect {
  const said = naiveStart(body)
  if (!('media' in said)) return refused(...said.map(statusOf))
  if (endedBystanders.includes(call)) return refused(409)
  const statuses = Object.keys(said.media).length > 0 ? [202, 409] : [202]
  return { statuses, start: { call, said } }
}

/** No call of the run fails: there is nothing to try again. */
function expectRetry(call: string, body: Buffer): ExpectedEffect {
  const object = body.length === 0 ? null : naiveObject(body)
  if (typeof object === 'string') return refused(statusOf(object))
  return refused(...(everyBystander.includes(call) ? [409] : [404, 409]))
}

const statusOf = (refusal: NaiveRefusal) => (refusal === 'malformed_json' ? 400 : 422)

const effectOf = (call: string, { sequence, data, timestamp }: NaivePacket): PacketEffect => ({
  call,
  sequence,
  hash: contentHash(data, timestamp),
})

function linesOf(body: Buffer): Pick<ExpectedRequest, 'packets' | 'lines'> {
  const packets: PacketEffect[] = []
  const invalid: number[] = []
  const numbers: number[] = []
  let number = 0
  for (let at = 0; at < body.length; ) {
    const newline = body.indexOf(0x0a, at)
    const end = newline < 0 ? body.length : newline
    const line = body.subarray(at, end)
    at = end + 1
    number++
    if (/^[ \t\r]*$/.test(line.toString('latin1'))) continue
    numbers.push(number)
    const packet = naiveDecode(line, true)
    if (typeof packet === 'string' || packet.callId === null) invalid.push(number)
    else packets.push(effectOf(packet.callId, packet))
  }
  return { packets, lines: { numbers, invalid } }
}

export function naiveTotal(body: Buffer): number | NaiveRefusal {
  const object = naiveObject(body)
  if (typeof object === 'string') return object
  const digits = object.texts.get('total_packets') ?? ''
  if (!/^[1-9][0-9]*$/.test(digits) || Number(digits) > 2 ** 31) return 'schema_violation'
  return Number(digits)
}
