/** Reads of what was said and heard: recordings in parts, transcripts, searches and the floor. */
import type { Random } from '../torture/random.js'
import { bystanders, soundFile } from './bystanders.js'
import { type Ground, mutated, request } from './ground.js'
import { segments } from './http-words.js'

const end = soundFile().length
const places = [0, 1, 43, 57, 58, 59, 100, end - 2, end - 1, end, end + 1, 2 ** 31, 2 ** 53, 1e15 - 1]
const oddRanges = [
  '',
  'bytes',
  'bytes=',
  'bytes=-',
  'bytes=--1',
  'bytes=-0',
  'bytes=0',
  'bytes=0-0',
  'bytes=00-01',
  'bytes=1-0',
  'bytes=-00',
  'bytes=0-1,2-3',
  'bytes=0-,0-,0-,0-',
  'bytes=0-1,',
  'bytes= 0-1',
  'bytes=0 -1',
  'bytes =0-1',
  'bytes:0-1',
  'BYTES=0-1',
  'items=0-1',
  'bytes=a-b',
  'bytes=0x0-0x9',
  'bytes=1e1-2e1',
  'bytes=+1-+2',
  'bytes=1.5-2',
  'bytes=0-999999999999999',
  'bytes=0-9999999999999999',
  'bytes=9999999999999999-',
  'bytes=-9999999999999999',
  'bytes=18446744073709551615-18446744073709551616',
  'bytes=NaN-Infinity',
  'bytes=__proto__',
  `bytes=${'0-1,'.repeat(400)}0-1`,
  `bytes=${'9'.repeat(1500)}-`,
]

function range(random: Random): string {
  if (random.chance(0.4)) return random.pick(oddRanges)
  const [from, to] = [random.pick(places), random.pick(places)]
  return random.pick([`bytes=${from}-${to}`, `bytes=${from}-`, `bytes=-${to}`])
}

function rangeLines(random: Random): readonly string[] {
  const name = random.chance(0.9) ? 'Range' : random.pick(['range', 'RANGE', 'Ranges', 'If-Range'])
  const count = random.chance(0.1) ? 0 : random.chance(0.9) ? 1 : 2
  return Array.from({ length: count }, () => `${name}: ${range(random)}`)
}

const callOf = ({ random, calls, started }: Ground): string =>
  random.chance(0.7)
    ? random.pick([bystanders.sound, bystanders.sound, bystanders.done, bystanders.open])
    : random.pick([...calls.map(encodeURIComponent), started, 'nobody', random.pick(segments)])

const escaped = (text: string) => encodeURIComponent(text)
/** Some bytes of a query as they are, others not even well escaped. */
const rawTexts = ['', '%', '%zz', '%ff', '%00', '%E0%A4%A', '+', '%2B', '=', '&&', '%0d%0a', '%F0%9F%8E%A7']

const words = ['simulated', 'Transcription', 'of', 'packets', 'PACK*', 'missing', 'nobody', 'fuzz', '2', 'x*']
const oddWords = [
  '"',
  '""',
  '"""',
  '*',
  '**',
  'ab*',
  'abc*',
  'ab..*',
  'a"b"c',
  '"simulated transcription"',
  '"transcription simulated"',
  '"packets of"*',
  '"of pack"*',
  'sim*ulated',
  'AND',
  'OR NOT',
  'NEAR(a b)',
  'text:simulated',
  '^simulated',
  '-simulated',
  '+simulated',
  '(simulated)',
  '{simulated}',
  "simulated'",
  "'; DROP TABLE calls; --",
  'simulated;',
  '\\',
  '%',
  '_',
  'é',
  'śimulated',
  '\u0301',
  'a\u0301\u0301*',
  '🎧',
  '٣',
  '\u2028',
  '\u200b',
  '\ufffd',
  '\u0085',
  'x\0y',
  'x\ty',
  `${'a '.repeat(16)}a`,
  'a '.repeat(16),
  '"a" '.repeat(17),
  'a'.repeat(256),
  'a'.repeat(257),
  '🎧'.repeat(129),
  '"a'.repeat(80),
  '.'.repeat(256),
]

function searchText({ random }: Ground): string {
  if (random.chance(0.15)) return random.pick(rawTexts)
  const one = () => random.pick(random.chance(0.6) ? words : oddWords)
  const text = Array.from({ length: random.integer(1, 3) }, one).join(random.pick([' ', ' ', '', '  ']))
  return random.chance(0.9) ? escaped(text) : escaped(mutated(Buffer.from(text), random).toString('utf8'))
}

const filters = [
  'state=ARCHIVED',
  'state=IN_PROGRESS',
  'state=archived',
  'limit=1',
  'limit=200',
  'limit=201',
  'limit=0',
  'cursor=zz',
  'cursor=ZZ',
  'direction=inbound',
  'caller=%00',
  'meta.k0=1',
  'meta.=',
  'meta.__proto__=1',
  'agent=agent%201',
  'unknown=1',
  ...[8, 9, 40].map((count) => Array.from({ length: count }, (_, i) => `meta.k${i}=x`).join('&')),
]

function search(ground: Ground): string {
  const { random } = ground
  const parts = [`q=${searchText(ground)}`]
  while (random.chance(0.3)) parts.push(random.pick(filters))
  if (random.chance(0.05)) parts.push(`q=${searchText(ground)}`)
  if (random.chance(0.1)) parts.shift()
  return `/v1/calls?${parts.join('&')}`
}

const forms = ['', '?format=json', '?format=vtt', '?format=srt', '?format=text']
const oddForms = ['?format=', '?format=VTT', '?format=doc', '?format=%00', '?format=__proto__', '?', '?%']

function target(ground: Ground): string {
  const { random } = ground
  const choice = random.next()
  if (choice < 0.4) return search(ground)
  if (choice < 0.7) return `/v1/call/${callOf(ground)}/transcript${random.pick([...forms, ...oddForms])}`
  if (choice < 0.8) return `/v1/floor${random.pick(['', '?', '?x=1', '?limit=-1', '/'])}`
  const part = random.pick(['', '/packets', '/gaps'])
  const query = random.pick(['', '?from=1', '?limit=1', '?from=1&limit=1000', '?limit=1001', '?from=-1'])
  return `/v1/call/${callOf(ground)}${part}${query}`
}

const methodOf = (random: Random) => (random.chance(0.9) ? 'GET' : 'HEAD')

export function recordingRead(ground: Ground): readonly Buffer[] {
  const { random } = ground
  const call = random.chance(0.7) ? bystanders.sound : callOf(ground)
  const line = `${methodOf(random)} /v1/call/${call}/audio.wav HTTP/1.1`
  return [request(line, rangeLines(random))]
}

export function callRead(ground: Ground): readonly Buffer[] {
  return [request(`${methodOf(ground.random)} ${target(ground)} HTTP/1.1`, [])]
}
