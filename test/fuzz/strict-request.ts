/**
 * What a stream of bytes is by RFC 9112, read as strictly as it can be read, sharing no code with the service. A request
 * is `plain` when every recipient must understand it alike, and `lenient` when the RFC lets a recipient take it or refuse
 * it (or when uWebSockets.js is known not to answer it). What is neither ends the reading: nothing after it is a request.
 */
export interface StrictRequest {
  readonly certainty: 'plain' | 'lenient'
  /** Where it begins in the stream, and where its request line ends. */
  readonly start: number
  readonly lineEnd: number
  readonly method: string
  /** Of an absolute one (RFC 9112 §3.2.2) what stands behind its authority: it is for the same resource. */
  readonly target: string
  /** Lower case names, in their order. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Buffer
}

export interface StrictStream {
  readonly requests: readonly StrictRequest[]
  /** Where the reading ended. */
  readonly end: number
  /** What follows them: nothing, the beginning of a request, or what is none. */
  readonly rest: 'nothing' | 'truncated' | 'malformed'
}

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** Looser than the RFC in the characters of a method and of a field's name, which change nothing about the framing. */
const requestLine = /^([\x21-\xff]+) ([\x21-\xff]+) HTTP\/1\.1$/s
/**
 * A field without a name is none, but uWebSockets.js reads it, and nothing behind it. Bytes above 0x7f at either end of a
 * value it takes for white space.
 */
const fieldLine = /^([\x21-\x39\x3b-\x7e\x80-\xff]*):[ \t\x80-\xff]*(.*?)[ \t\x80-\xff]*$/s
/** uWebSockets.js takes 4,096 bytes and 100 lines of headers; either side of it a refusal is as good as an answer. */
const headBytesPlainMax = 2500
const headBytesMax = 6000
const linesPlainMax = 60

export function readStream(bytes: Buffer, start = 0): StrictStream {
  const requests: StrictRequest[] = []
  for (let at = start; at < bytes.length; ) {
    const found = readRequest(bytes, at)
    if (typeof found === 'string') return { requests, end: at, rest: found }
    requests.push(found.request)
    at = found.end
  }
  return { requests, end: bytes.length, rest: 'nothing' }
}

type Found = { readonly request: StrictRequest; readonly end: number } | 'truncated' | 'malformed'

function readRequest(bytes: Buffer, start: number): Found {
  // RFC 9112 §2.2: an empty line before a request may be passed over.
  let at = start
  while (bytes[at] === 0x0d && bytes[at + 1] === 0x0a) at += 2
  const headEnd = bytes.indexOf('\r\n\r\n', at, 'latin1')
  if (headEnd < 0) return bytes.length - at > headBytesMax ? 'malformed' : 'truncated'
  const [first = '', ...lines] = bytes.toString('latin1', at, headEnd).split('\r\n')
  const [, method, target] = requestLine.exec(first) ?? []
  if (method === undefined || target === undefined) return 'malformed'
  const all: (readonly [string, string])[] = []
  for (const line of lines) {
    const [, name, value] = fieldLine.exec(line) ?? []
    if (name === undefined || value === undefined || hasControl(value)) return 'malformed'
    all.push([name.toLowerCase(), value])
  }
  const nameless = all.findIndex(([name]) => name === '')
  const headers = nameless < 0 ? all : all.slice(0, nameless)
  const isPlain =
    at === start &&
    [method, ...all.map(([name]) => name)].every((name) => token.test(name)) &&
    headEnd - at <= headBytesPlainMax &&
    lines.length <= linesPlainMax &&
    target.startsWith('/') &&
    valuesOf(headers, 'host').length === 1 &&
    valuesOf(headers, 'content-type').length <= 1 &&
    valuesOf(headers, 'expect').length + valuesOf(headers, 'upgrade').length === 0 &&
    !/[\x7f-\xff]/.test(first + lines.join())
  const body = readBody(bytes, headEnd + 4, headers)
  if (typeof body === 'string') return body
  const certainty = isPlain && body.isPlain ? 'plain' : 'lenient'
  const lineEnd = at + first.length
  return {
    request: { certainty, start: at, lineEnd, method, target: originForm(target), headers, body: body.bytes },
    end: body.end,
  }
}

function originForm(target: string): string {
  const [, rest] = /^https?:\/\/[^/?#]+(.*)$/is.exec(target) ?? []
  return rest === undefined ? target : rest.startsWith('/') ? rest : `/${rest}`
}

/** A tab is white space. DEL is invalid too, but a recipient may keep it (RFC 9110 §5.5), and uWebSockets.js does. */
function hasControl(value: string): boolean {
  return Buffer.from(value, 'latin1').some((byte) => byte < 0x20 && byte !== 0x09)
}

export const valuesOf = (headers: StrictRequest['headers'], name: string): readonly string[] =>
  headers.filter(([other]) => other === name).map(([, value]) => value)

type Body =
  | { readonly bytes: Buffer; readonly end: number; readonly isPlain: boolean }
  | 'truncated'
  | 'malformed'

/** The contract refuses every length but one number of digits, and every encoding but one `chunked` without a length. */
function readBody(bytes: Buffer, at: number, headers: StrictRequest['headers']): Body {
  const lengths = valuesOf(headers, 'content-length')
  const encodings = valuesOf(headers, 'transfer-encoding')
  if (encodings.length > 0) {
    if (lengths.length > 0 || encodings.length > 1 || encodings[0]?.toLowerCase() !== 'chunked')
      return 'malformed'
    return readChunks(bytes, at)
  }
  const [length = '0', ...others] = lengths
  if (others.length > 0 || !/^\d{1,15}$/.test(length)) return 'malformed'
  const end = at + Number(length)
  if (end > bytes.length) return 'truncated'
  return { bytes: bytes.subarray(at, end), end, isPlain: true }
}

/**
 * Plain by RFC 9112 §7.1. uWebSockets.js reads more loosely, which makes it lenient here: no digits are a size of 0,
 * what follows the digits is passed over up to a line feed, and so are two bytes after each chunk, whatever they are.
 */
function readChunks(bytes: Buffer, start: number): Body {
  const parts: Buffer[] = []
  let isPlain = true
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf('\n', at, 'latin1')
    if (lineEnd < 0) return bytes.length - at > headBytesMax ? 'malformed' : 'truncated'
    const line = bytes.toString('latin1', at, lineEnd)
    const [, digits] = /^([0-9A-Fa-f]{0,15})(?:[^!-:<-\xff].*)?$/s.exec(line) ?? []
    if (digits === undefined) return 'malformed'
    const size = digits === '' ? 0 : Number.parseInt(digits, 16)
    at = lineEnd + 1
    const end = at + size + 2
    if (end > bytes.length) return 'truncated'
    isPlain &&= /^[0-9A-Fa-f]{1,8}\r$/.test(line) && bytes.toString('latin1', end - 2, end) === '\r\n'
    if (size === 0) return { bytes: Buffer.concat(parts), end, isPlain }
    parts.push(bytes.subarray(at, at + size))
    at = end
  }
}
