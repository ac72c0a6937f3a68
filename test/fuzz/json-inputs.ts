/** Bodies of every POST route: well framed, so that the answer is exactly the one of the contract. */
import fc from 'fast-check'
import { packetBodies } from '../protocol/packet-texts.js'
import { bystanders, doneTotal } from './bystanders.js'
import { naiveTotal } from './expectation.js'
import { cut, type Ground, mutated, packetPath, packetText, request } from './ground.js'
import { startBody } from './start-inputs.js'

/** After the classes of JSONTestSuite: what parsers are known to disagree about. */
const documents = [
  '',
  ' ',
  '{',
  '}',
  '[',
  '[]',
  '{}',
  'null',
  'true',
  'nul',
  '"',
  '""',
  '"\\u',
  '0',
  '-',
  '-0',
  '+1',
  '01',
  '1.',
  '.1',
  '1e',
  '[1,]',
  '{"a":1,}',
  '{,}',
  '{"a"}',
  '{"a":}',
  '{a:1}',
  "{'a':1}",
  '{"a":1}}',
  '{"a":1}{}',
  '{"a":1 "b":2}',
  '[1 2]',
  '{"a":NaN}',
  '{"a":Infinity}',
  '{"a":undefined}',
  '{"a":0x1}',
  '// x\n{}',
  '/**/{}',
  '{"a":"\t"}',
  '{"a":"\\x41"}',
  '{"a":"\\u12"}',
  '{"a":"\\ud800"}',
  '\ufeff{}',
  '{}\0',
  '\0{}',
  '{"":0}',
  '{"a":tru}',
  '[[]',
  '["\\"]',
  '\u2028{}',
  '{} {}',
]
const numbers = [
  '0',
  '-0',
  '1',
  '-1',
  '1.0',
  '1e0',
  '1E2',
  '1e+2',
  '10e-1',
  '01',
  '+1',
  '0x1',
  '1.',
  '.5',
  '0.9999999999999999999',
  '1e400',
  '-1e400',
  '2147483647',
  '2147483648',
  '4294967296',
  '9007199254740991',
  '9007199254740993',
  '18446744073709551616',
  '1e-400',
  'NaN',
  'Infinity',
  'null',
  'true',
  '"1"',
  '[1]',
  '{}',
  '5e-324',
  '1.7976931348623157e308',
  '1_000',
  '٣',
  '1 2',
  '',
]
const texts = [
  '""',
  '"x"',
  '"\\u0000"',
  '"\\ud800"',
  '"\\udc00\\ud800"',
  '"\\ud83c\\udfa7"',
  '"é"',
  '"\u0000"',
  '"\u001f"',
  '"\n"',
  '"\\v"',
  '"\u2028"',
  '"\ufeff"',
  '5',
  'null',
  '[]',
  '{"toString":1}',
  '"__proto__"',
  `"${'x'.repeat(32_769)}"`,
  `"${'\\u0041'.repeat(6000)}"`,
]
const keys = [
  'sequence',
  'data',
  'timestamp',
  'call_id',
  'total_packets',
  '__proto__',
  'constructor',
  'prototype',
  '',
  'toString',
]
const hostile = [
  '"__proto__":{"sequence":1}',
  '"constructor":1',
  '"\\u005f_proto__":1',
  '"sequence":1',
  '"seq\\u0075ence":2',
  '"data":"other"',
  '"toString":1',
  '"x":1e400',
  '"\\ud800":1',
  '"hasOwnProperty":null',
  `"${'n'.repeat(60_000)}":1`,
]

function oddPacket(ground: Ground, callId = ''): string {
  const { random, number } = ground
  const sequence = random.chance(0.6) ? String(number) : random.pick(numbers)
  const data = random.chance(0.6) ? `"fuzz ${number}"` : random.pick(texts)
  const timestamp = random.chance(0.7) ? '1700000000.5' : random.pick(numbers)
  const members = [`"sequence":${sequence}`, `"data":${data}`, `"timestamp":${timestamp}`]
  if (callId !== '') members.push(`"call_id":${JSON.stringify(callId)}`)
  if (random.chance(0.4)) members.push(random.pick(hostile))
  if (random.chance(0.15)) members.push(`"x":${nested(ground)}`)
  if (random.chance(0.1)) members.push(`"${random.pick(keys)}":${random.pick(numbers)}`)
  if (random.chance(0.1)) members.splice(random.integer(0, members.length - 1), 1)
  return `{${members.sort(() => random.next() - 0.5).join(random.pick([',', ',', ' ,\n']))}}`
}

function nested({ random }: Ground): string {
  const depth = random.pick([1, 14, 15, 16, 17, 100, 10_000, 30_000])
  return random.chance(0.5)
    ? '['.repeat(depth) + ']'.repeat(random.chance(0.8) ? depth : 0)
    : `${'{"a":'.repeat(Math.min(depth, 9000))}1${'}'.repeat(Math.min(depth, 9000))}`
}

/** Text in another encoding, or with bytes that are no UTF-8. */
function oddBytes(ground: Ground): Buffer {
  const { random } = ground
  const text = packetText(ground)
  const bytes = Buffer.from(text)
  const bad = ['ff', 'c080', 'eda080', 'f4908080', 'e282', 'c3', '80', 'efbbbf', 'f8888080', '00'].map(
    (hex) => Buffer.from(hex, 'hex'),
  )
  const at = random.integer(0, bytes.length)
  return random.pick([
    Buffer.from(text, 'utf16le'),
    Buffer.concat([Buffer.from('efbbbf', 'hex'), bytes]),
    Buffer.concat([bytes.subarray(0, at), random.pick(bad), bytes.subarray(at)]),
    Buffer.from(text.replace('fuzz', 'f\u00fczz'), 'latin1'),
  ])
}

function oddSize(ground: Ground): string {
  const { random } = ground
  const text = packetText(ground)
  const bytes = random.pick([65_535, 65_536, 65_537, 70_000, 200_000])
  return random.chance(0.5) ? text + ' '.repeat(bytes - text.length) : text.replace('fuzz', 'x'.repeat(bytes))
}

function completionText({ random }: Ground): string {
  const total = random.chance(0.2) ? String(doneTotal) : random.pick(numbers)
  const more = random.chance(0.3)
    ? `,${random.pick([...hostile, '"total_packets":3', '"total\\u005fpackets":3'])}`
    : ''
  return random.chance(0.9) ? `{"total_packets":${total}${more}}` : random.pick(documents)
}

type Body = (ground: Ground) => string | Buffer

const packetTexts: Readonly<Record<string, Body>> = {
  'valid packet': packetText,
  'odd packet': oddPacket,
  document: ({ random }) => random.pick(documents),
  'mutated packet': (ground) => mutated(Buffer.from(packetText(ground)), ground.random),
  'mutated odd packet': (ground) => mutated(Buffer.from(oddPacket(ground)), ground.random),
  bytes: oddBytes,
  size: (ground) => (ground.random.chance(0.1) ? oddSize(ground) : nested(ground)),
}

/** What the decoder's own tests generate. Ids of calls are those of the block: each of a million calls takes memory. */
function sampled({ random, calls }: Ground, hasCallId: boolean): Buffer {
  const [body = Buffer.alloc(0)] = fc.sample(packetBodies(fc.constant(hasCallId)), {
    seed: random.integer(0, 2 ** 31 - 1),
    numRuns: 1,
  })
  const named = body
    .toString('latin1')
    .replace(
      /"call_id"(\s*:\s*)"(?:[^"\\]|\\.){1,510}"/,
      (_, colon) => `"call_id"${colon}${JSON.stringify(random.pick(calls))}`,
    )
  return Buffer.from(named, 'latin1')
}

function lines(ground: Ground): Buffer {
  const { random, calls } = ground
  const one = () => {
    const choice = random.integer(0, 5)
    if (choice === 0) return Buffer.from(random.pick(documents))
    if (choice === 1) return sampled(ground, true)
    if (choice === 2) return mutated(Buffer.from(oddPacket(ground, random.pick(calls))), random)
    return Buffer.from(
      oddPacket(
        ground,
        random.chance(0.9) ? random.pick(calls) : random.pick(['', '.', '..', 'a b', 'é', 'x'.repeat(256)]),
      ),
    )
  }
  const all = Array.from({ length: random.integer(1, 8) }, () => [
    one(),
    Buffer.from(random.pick(['\n', '\n', '\r\n', '\n\n', '\n \t\n'])),
  ])
  return Buffer.concat(all.flat())
}

/** What senders say of JSON, or of JSON lines, or of nothing. */
const bodyTypes = [
  '',
  'application/vnd.api+json',
  'Application/LD+JSON; profile="x"',
  'application/problem+json',
  'application/+json',
  'application/ndjson',
  'application/jsonl',
  'text/json',
  'text/plain',
]
const byteOrderMark = Buffer.from('\ufeff')

function framed({ random }: Ground, line: string, body: string | Buffer, given?: string): readonly Buffer[] {
  const marks = random.chance(0.05) ? random.integer(1, 2) : 0
  const bytes = Buffer.concat([...Array<Buffer>(marks).fill(byteOrderMark), Buffer.from(body)])
  const type = random.chance(0.1) ? random.pick(bodyTypes) : given
  if (random.chance(0.1)) {
    const chunk = bytes.length === 0 ? '' : `${bytes.length.toString(16)}\r\n`
    const parts = [Buffer.from(chunk), bytes, Buffer.from(`${chunk === '' ? '' : '\r\n'}0\r\n\r\n`)]
    return [request(line, ['Transfer-Encoding: chunked'], Buffer.concat(parts), type)]
  }
  const whole = request(line, [`Content-Length: ${bytes.length}`], bytes, type)
  const first = whole.indexOf('\r\n') + 2
  return random.chance(0.1)
    ? cut(whole, [random.integer(first, whole.length), random.integer(first, whole.length)])
    : [whole]
}

/** A call that is said to be something while packets come to it, or before any. */
function start(ground: Ground): readonly Buffer[] {
  const { random, calls, started } = ground
  const body = startBody(ground)
  const call = encodeURIComponent(random.pick([...calls, started, started, bystanders.done]))
  const line = `POST /v1/call/start/${call} HTTP/1.1`
  if (body.length === 0 && random.chance(0.5)) return [Buffer.from(`${line}\r\nHost: localhost\r\n\r\n`)]
  return framed(ground, line, body, random.chance(0.95) ? undefined : 'text/plain')
}

function retry(ground: Ground): readonly Buffer[] {
  const { random } = ground
  const call = random.pick([...Object.values(bystanders), 'nobody', '%', 'a%2Fb', 'a%22b%40c'])
  const body = random.pick(['', '{}', random.pick(documents), `{${random.pick(hostile)}}`])
  return framed(ground, `POST /v1/call/retry/${call} HTTP/1.1`, body)
}

/** Its name, and what is written. */
export function jsonInput(ground: Ground): readonly [name: string, writes: readonly Buffer[]] {
  const { random } = ground
  const choice = random.integer(0, 12)
  if (choice === 12) return ['retry', retry(ground)]
  if (choice > 9) return ['start', start(ground)]
  if (choice < 2) {
    const body = completionText(ground)
    // One that completes a call goes to the one that is complete: it must change nothing there.
    const call = typeof naiveTotal(Buffer.from(body)) === 'number' ? bystanders.done : bystanders.open
    return ['completion', framed(ground, `POST /v1/call/complete/${call} HTTP/1.1`, body)]
  }
  if (choice < 5)
    return ['lines', framed(ground, 'POST /v1/packets HTTP/1.1', lines(ground), 'application/x-ndjson')]
  if (choice < 7)
    return ['sampled packet', framed(ground, `POST ${packetPath(ground)} HTTP/1.1`, sampled(ground, false))]
  const name = random.pick(Object.keys(packetTexts))
  const body = packetTexts[name]?.(ground) ?? ''
  return [name, framed(ground, `POST ${packetPath(ground)} HTTP/1.1`, body)]
}
