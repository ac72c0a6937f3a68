/**
 * The body of a request: bounded, and whole before anything is done with it, because uWebSockets.js runs handlers
 * before it has checked how the request is framed.
 */
import { Buffer } from 'node:buffer'
import { VoiceStreamError } from '../errors.js'
import { limits } from '../limits.js'
import type { HttpRequest, HttpResponse } from './uws.js'

export interface RequestHead {
  readonly contentType: string
  readonly contentLength: number | null
  readonly authorization: string | null
  readonly host: string | null
  readonly origin: string | null
  readonly forwardedFor: string | null
  readonly forwardedProto: string | null
  readonly range: string | null
  readonly requestId: string | null
}

let contentType = ''
let contentLengths = 0
let contentLength = ''
let transferEncoding: string | null = null
let authorization: string | null = null
let host: string | null = null
let origin: string | null = null
let forwardedFor: string | null = null
let forwardedProto: string | null = null
let range: string | null = null
let requestId: string | null = null

const takeHeader = (key: string, value: string): void => {
  if (key === 'content-type') contentType = value
  else if (key === 'content-length') {
    contentLengths++
    contentLength = value
  } else if (key === 'transfer-encoding')
    transferEncoding = transferEncoding === null ? value : `${transferEncoding},${value}`
  // Twice the same is neither of them.
  else if (key === 'host') host = host === null ? value : ''
  else if (key === 'authorization') authorization = authorization === null ? value : ''
  else if (key === 'origin') origin = origin === null ? value : 'null'
  // Each proxy adds one at the end.
  else if (key === 'x-forwarded-for')
    forwardedFor = forwardedFor === null ? value : `${forwardedFor},${value}`
  else if (key === 'x-forwarded-proto')
    forwardedProto = forwardedProto === null ? value : `${forwardedProto},${value}`
  else if (key === 'x-request-id') requestId = value
  else if (key === 'range') range = value
}

/**
 * One walk over the headers. Throws `malformed_request` where two parsers could disagree about where the request ends
 * (RFC 9112 §6.3): two Content-Lengths, one that is no number, one beside a Transfer-Encoding, any encoding but chunked.
 */
export function readHead(req: HttpRequest): RequestHead {
  contentType = ''
  contentLengths = 0
  contentLength = ''
  transferEncoding = null
  authorization = null
  host = null
  origin = null
  forwardedFor = null
  forwardedProto = null
  range = null
  requestId = null
  req.forEach(takeHeader)
  if (contentLengths > 1) throw malformed('two Content-Length headers')
  const length = contentLengths === 0 ? null : digitsOf(contentLength)
  if (Number.isNaN(length)) throw malformed('a Content-Length that is not a number')
  if (transferEncoding !== null && contentLengths > 0)
    throw malformed('both Content-Length and Transfer-Encoding')
  if (transferEncoding !== null && (transferEncoding as string).trim().toLowerCase() !== 'chunked')
    throw malformed('a Transfer-Encoding other than chunked')
  return {
    contentType,
    contentLength: length,
    authorization,
    host,
    origin,
    forwardedFor,
    forwardedProto,
    range,
    requestId,
  }
}

/** The number of 1 to 15 digits, or NaN. */
function digitsOf(text: string): number {
  if (text.length === 0 || text.length > 15) return Number.NaN
  let value = 0
  for (let at = 0; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 0x30
    if (digit < 0 || digit > 9) return Number.NaN
    value = value * 10 + digit
  }
  return value
}

function malformed(what: string): VoiceStreamError {
  return new VoiceStreamError('malformed_request', `the request has ${what}`)
}

/** Other types that a route takes for its own: JSON of any vocabulary (RFC 6839), and the names of JSON lines. */
const alikeTypes: Readonly<Record<string, RegExp>> = {
  'application/json': /^application\/[a-z0-9!#$&^_.+-]+\+json$/,
  'application/x-ndjson': /^application\/(?:ndjson|jsonl|x-jsonl|jsonlines|x-jsonlines)$/,
}

/**
 * A body that says no type is taken for what the route wants, as many senders leave it out. A page can send such a body
 * without asking first, but its browser names the page, and the gate refuses it. Throws `unsupported_media_type`.
 */
export function checkMediaType(given: string, wanted: string): void {
  if (given === wanted || given === '') return
  const type = given.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  if (type === wanted || alikeTypes[wanted]?.test(type) === true) return
  throw new VoiceStreamError('unsupported_media_type', `the body must be ${wanted}`)
}

/** Without the byte order mark that some senders put in front (RFC 8259 §8.1). */
export function withoutByteOrderMark(body: Uint8Array): Uint8Array {
  const first = behindByteOrderMark(body, 0)
  return first === 0 ? body : body.subarray(first)
}

/** Where the text begins that may have a mark at `at`. */
export function behindByteOrderMark(bytes: Uint8Array, at: number): number {
  return bytes[at] === 0xef && bytes[at + 1] === 0xbb && bytes[at + 2] === 0xbf ? at + 3 : at
}

/**
 * Calls `whole` once with the body; it is valid in that turn only when it came in one piece (`isView`), as nearly all
 * do. A body that is too large is read to its end and thrown away before `tooLarge` is called, because a sender that is
 * cut off while it still writes never sees the answer, and would send again for ever; but not past
 * `limits.discardedBytesMax`, and not at all where its length is known to be more than that.
 */
export function readBody(
  res: HttpResponse,
  head: RequestHead,
  bytesMax: number,
  whole: (body: Uint8Array, isView: boolean) => void,
  tooLarge: (error: VoiceStreamError) => void,
): void {
  const announced = head.contentLength ?? 0
  let parts: Buffer[] = []
  let bytes = 0
  let isTooLarge = announced > bytesMax
  let isOver = false
  const refuse = () => {
    isOver = true
    tooLarge(new VoiceStreamError('body_too_large', `the body is larger than ${bytesMax} bytes`))
  }
  res.onData((chunk, isLast) => {
    // Chunks keep coming after an answer: they must cost nothing.
    if (isOver) return
    bytes += chunk.byteLength
    if (bytes > bytesMax) isTooLarge = true
    if (isTooLarge) {
      parts = []
      if (isLast || bytes > limits.discardedBytesMax) refuse()
      return
    }
    if (!isLast) {
      // The chunk is detached after this call.
      if (chunk.byteLength > 0) parts.push(Buffer.from(chunk.slice(0)))
      return
    }
    isOver = true
    if (parts.length === 0) return whole(new Uint8Array(chunk), true)
    parts.push(Buffer.from(chunk))
    whole(Buffer.concat(parts, bytes), false)
  })
  if (announced > limits.discardedBytesMax) refuse()
  // Where the head came in parts, uWebSockets.js never says that a body of length 0 is whole.
  if (head.contentLength === 0) {
    isOver = true
    whole(new Uint8Array(0), false)
  }
}
