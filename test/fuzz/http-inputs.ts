/** HTTP as nobody should send it: framing, lines, headers, targets, and what hides behind a request. */
import type { Random } from '../torture/random.js'
import { oddForm } from './form-inputs.js'
import {
  cut,
  type Generator,
  type Ground,
  hiddenRequest,
  mutated,
  packetPath,
  packetText,
  request,
  validPacket,
} from './ground.js'
import { methods, segments, targets, versions } from './http-words.js'
import { callRead, recordingRead } from './read-inputs.js'

const length = (value: number | string) => `Content-Length: ${value}`
const post = (ground: Ground) => `POST ${packetPath(ground)} HTTP/1.1`
const hex = (value: number) => value.toString(16)
const chunked = 'Transfer-Encoding: chunked'

const chunksOf = (text: string, random: Random): string => {
  const at = random.integer(0, text.length)
  const parts = [text.slice(0, at), text.slice(at)].filter((part) => part !== '')
  return parts.map((part) => `${hex(part.length)}\r\n${part}\r\n`).join('')
}

function oddLengths(ground: Ground): Buffer[] {
  const { random } = ground
  const body = packetText(ground)
  const hidden = hiddenRequest(ground)
  const bytes = body.length
  const values = [0, 1, bytes, bytes - 1, bytes + 1, hidden.length, bytes + hidden.length]
  const texts = [
    '',
    '-1',
    '+1',
    ' ',
    '0x10',
    '1e2',
    '1_0',
    '99999999999999999999',
    '4294967296',
    '2147483648',
  ]
  const one = () => (random.chance(0.7) ? random.pick(values) : random.pick(texts))
  const two = () =>
    random.pick([`${one()}, ${one()}`, `${one()},${one()}`, `${bytes};q=1`, `${bytes}\t`, `0${bytes}`])
  const spelled = () =>
    random.pick(['Content-Length: ', 'content-length:', 'CONTENT-LENGTH:\t', 'Content-Length : '])
  const lines = Array.from(
    { length: random.integer(1, 3) },
    () => `${spelled()}${random.chance(0.8) ? one() : two()}`,
  )
  return [request(post(ground), lines, body), hidden]
}

function oddChunks(ground: Ground): readonly (string | Buffer)[] {
  const { random } = ground
  const body = packetText(ground)
  const n = hex(body.length)
  const sizes = [n, n.toUpperCase(), `0000${n}`, `0x${n}`, `-${n}`, `+${n}`, ` ${n}`, `${n} `, `${n};a=b`]
  const more = [`${n};a="\r\n"`, `${n}\t`, `${n}g`, '', 'ffffffff', 'ffffffffffffffff', '80000000', `${n}\n`]
  const size = random.pick([...sizes, ...more, hex(body.length + 1), hex(body.length - 1)])
  const end = random.pick(['\r\n', '\n', '\r', '', '\r\n\r\n', 'x\r\n'])
  const last = random.pick(['0\r\n\r\n', '0\r\n\r\n', '0\r\n', '0\n\n', '0;x=1\r\n\r\n', '00000\r\n\r\n', ''])
  const trailers = random.chance(0.2) ? `0\r\nX-Trailer: 1\r\nContent-Length: 5\r\n\r\n` : last
  return [request(post(ground), [chunked], `${size}\r\n${body}${end}${trailers}`), hiddenRequest(ground)]
}

function oddEncodings(ground: Ground): readonly Buffer[] {
  const { random } = ground
  const body = packetText(ground)
  const values = [
    'chunked',
    'Chunked',
    'xchunked',
    'chunkedx',
    'gzip, chunked',
    'chunked, identity',
    'identity',
  ]
  const more = ['', '"chunked"', 'chunked;q=1', '\x0bchunked', 'chunked\x00', 'chunked,chunked', ',chunked']
  const names = ['Transfer-Encoding: ', 'Transfer-Encoding : ', 'transfer-encoding:\t', 'Transfer_Encoding: ']
  const lines = Array.from(
    { length: random.integer(1, 2) },
    () => random.pick(names) + random.pick([...values, ...more]),
  )
  if (random.chance(0.6)) lines.push(length(random.pick([0, body.length, 5])))
  const framed = random.pick([body, `${chunksOf(body, random)}0\r\n\r\n`, '0\r\n\r\n'])
  return [request(post(ground), random.chance(0.5) ? lines : lines.reverse(), framed), hiddenRequest(ground)]
}

function oddHeaders(ground: Ground): readonly Buffer[] {
  const { random } = ground
  const lines = [
    'X-Folded: a\r\n b',
    ' X-Leading: space',
    '\tX-Leading: tab',
    'X-Nul: a\0b',
    'X-Control: a\x01\x1f\x7fb',
    'X-High: \x80\xff\xc3\xa9',
    'X-\xe9: high',
    'X Name: space',
    'X-None',
    ': no name',
    '',
    'X-Bare: a\rb',
    'X-Line: a\nContent-Length: 3',
    'Host: other',
    'Host:',
    'Content-Type: text/plain',
    'Expect: 100-continue',
    'Expect: nothing',
    'Connection: close',
    'Connection: upgrade\r\nUpgrade: h2c',
    'X-HTTP-Method-Override: DELETE',
    'X-Forwarded-For: \x00',
    `X-Long: ${'x'.repeat(random.pick([100, 3000, 4090, 5000, 9000]))}`,
  ]
  const chosen = Array.from({ length: random.integer(1, 3) }, () => random.pick(lines))
  if (random.chance(0.2))
    chosen.push(
      Array.from({ length: random.pick([90, 98, 105, 200]) }, (_, i) => `X-${i}: ${i}`).join('\r\n'),
    )
  return [validPacket(ground, chosen)]
}

function oddLine(ground: Ground): readonly Buffer[] {
  const { random } = ground
  const target = random.chance(0.8)
    ? random.pick(targets)
    : `/v1/call/stream/${'x'.repeat(random.pick([255, 256, 2000, 4090, 9000]))}`
  const chosen = random.chance(0.5) ? 'GET' : random.pick([...methods, 'POST', 'A'.repeat(5000)])
  // Where there are no credentials everybody may erase, and the bystanders must stay.
  const method = chosen === 'DELETE' && target.includes('bystander') ? 'GET' : chosen
  const version = random.chance(0.7) ? 'HTTP/1.1' : random.pick(versions)
  const space = random.chance(0.9) ? ' ' : random.pick(['  ', '\t', '\x0b', ''])
  const body = random.chance(0.3) ? packetText(ground) : ''
  const bytes = request(
    `${method}${space}${target} ${version}`,
    body === '' ? [] : [length(body.length)],
    body,
  )
  const ending = random.chance(0.9)
    ? bytes.toString('latin1')
    : bytes.toString('latin1').replaceAll('\r\n', random.pick(['\n', '\r']))
  return [Buffer.from(random.pick(['', '', '', '\r\n', '\n', ' ', '\0']) + ending, 'latin1')]
}

/** Well framed, so that what is answered depends on the target alone. */
function oddTarget(ground: Ground): readonly Buffer[] {
  const { random } = ground
  const segment = Array.from({ length: random.integer(1, 4) }, () => random.pick(segments)).join('')
  const body = packetText(ground)
  if (random.chance(0.5))
    return [request(`POST /v1/call/stream/${segment} HTTP/1.1`, [length(body.length)], body)]
  const part = random.pick(['', '/packets', '/gaps', '/packets?from=%', '?limit=%ff'])
  // Erased is nobody: the calls of the run are accounted for.
  const erased = `DELETE /v1/call/nobody${segment}`
  const line = random.chance(0.2) ? erased : `GET /v1/call/${segment}${part}`
  return [request(`${line} HTTP/1.1`, [])]
}

function pipelined(ground: Ground): readonly Buffer[] {
  const { random } = ground
  const bodiless = [
    'GET /v1/calls?limit=1',
    'GET /health/live',
    'HEAD /v1/calls',
    'PUT /v1/calls',
    'GET /nothing',
  ]
  const parts = Array.from({ length: random.integer(2, 6) }, () =>
    random.chance(0.4) ? validPacket(ground) : request(`${random.pick(bodiless)} HTTP/1.1`, []),
  )
  return [Buffer.concat(parts)]
}

function hiding(ground: Ground): readonly Buffer[] {
  const { random } = ground
  const hidden = hiddenRequest(ground)
  const inside = hidden.toString('latin1')
  const line = random.pick([
    'GET /v1/calls HTTP/1.1',
    'POST /nothing HTTP/1.1',
    'POST /v1/packets HTTP/1.1',
    post(ground),
  ])
  const choice = random.integer(0, 4)
  if (choice === 0) return [request(line, [length(inside.length)], inside)]
  if (choice === 1) return [request(line, [chunked], `${chunksOf(inside, random)}0\r\n\r\n`)]
  if (choice === 2) return [request(line, [length(6), chunked], `0\r\n\r\n${inside}`)]
  if (choice === 3) return [request(line, [length(0), length(inside.length)], inside)]
  return [request(line, ['X: 1\n\nGET / HTTP/1.1', length(inside.length)], inside)]
}

function garbage({ random }: Ground): readonly Buffer[] {
  const known = [
    Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    Buffer.from('16030100c8010000c40303', 'hex'),
    Buffer.from('GET'),
    Buffer.from('\r\n'.repeat(50)),
    Buffer.from('GET /\r\n\r\n'),
    Buffer.from([0x81, 0x85, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
    Buffer.from('SSH-2.0-fuzz\r\n'),
    Buffer.alloc(random.pick([1, 100, 5000, 70_000]), random.integer(0, 255)),
  ]
  const bytes = Buffer.from(Array.from({ length: random.integer(1, 300) }, () => random.integer(0, 255)))
  return [random.chance(0.5) ? bytes : random.pick(known)]
}

/** What is valid however it is sent: it must be stored. */
export function valid(ground: Ground): readonly Buffer[] {
  const { random } = ground
  const body = packetText(ground)
  const choice = random.integer(0, 3)
  if (choice === 0) return [request(post(ground), [chunked], `${chunksOf(body, random)}0\r\n\r\n`)]
  const bytes = validPacket(ground, random.chance(0.3) ? ['X-Any: thing', 'Accept:*/*'] : [])
  if (choice > 1) return [bytes]
  const first = bytes.indexOf('\r\n') + 2
  return cut(
    bytes,
    Array.from({ length: random.integer(1, 5) }, () => random.integer(first, bytes.length)),
  )
}

export const httpGenerators: Readonly<Record<string, Generator>> = {
  valid,
  'split anywhere': (ground) => {
    const bytes = validPacket(ground)
    const count = ground.random.integer(1, 4)
    return cut(
      bytes,
      Array.from({ length: count }, () => ground.random.integer(1, bytes.length - 1)),
    )
  },
  lengths: oddLengths,
  chunks: oddChunks,
  encodings: oddEncodings,
  headers: oddHeaders,
  line: oddLine,
  forms: oddForm,
  targets: oddTarget,
  pipelined,
  recordings: recordingRead,
  reads: callRead,
  hiding,
  truncated: (ground) => {
    const bytes = validPacket(ground)
    return [bytes.subarray(0, ground.random.integer(1, bytes.length - 1))]
  },
  mutated: (ground) => [mutated(validPacket(ground), ground.random)],
  'mutated and hidden': (ground) => [mutated(validPacket(ground), ground.random), hiddenRequest(ground)],
  garbage,
}
