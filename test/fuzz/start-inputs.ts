/** What a PBX may say of a call, and what it may not: bodies of `POST /v1/call/start/{call_id}`. */
import { type Ground, mutated } from './ground.js'

const encodings = ['"text"', '"mulaw"', '"alaw"', '"pcm_s16le"']
const odd = ['"opus"', '"TEXT"', '""', 'null', '0', '{}', '["text"]', '"\\u0074ext"', '"text\\u0000"']
const rates = [
  '8000',
  '4000',
  '192000',
  '44100',
  '3999',
  '192001',
  '8e3',
  '8000.0',
  '-8000',
  '"8000"',
  '08000',
]
const channels = ['1', '2', '8', '0', '9', '1.0', '1e0', 'null', '-0', '18446744073709551617']
const directions = ['"inbound"', '"outbound"', '"internal"', '"sideways"', '""', 'null', '"Inbound"']
const names = [
  '""',
  '"x"',
  `"${'x'.repeat(128)}"`,
  `"${'x'.repeat(129)}"`,
  `"${'🎧'.repeat(64)}"`,
  `"${'🎧'.repeat(128)}"`,
  `"${'🎧'.repeat(129)}"`,
  `"${'e\u0301'.repeat(64)}"`,
  `"${'e\u0301'.repeat(65)}"`,
  `"${'👨‍👩‍👧‍👦'.repeat(20)}"`,
  '"\\u0000"',
  '"a\\u001fb"',
  '"a\\nb"',
  '"a\\u007fb"',
  '"a\\u0080b"',
  '"\\ud800"',
  '"\\ud83c\\udfa7"',
  '"<script>alert(1)</script>"',
  '"\'; DROP TABLE calls; --"',
  'null',
  '5',
  '["x"]',
]
const labels = [
  'a',
  'A.b_c-d',
  '0',
  'x'.repeat(64),
  'x'.repeat(65),
  'n'.repeat(60_000),
  '',
  'a b',
  'é',
  'a/b',
  'toString',
  '__proto__',
]
const values = [
  '""',
  '"x"',
  `"${'x'.repeat(256)}"`,
  `"${'x'.repeat(257)}"`,
  `"${'🎧'.repeat(256)}"`,
  '"\\udfff"',
]
const more = [
  '"__proto__":{"media":{"channels":2}}',
  '"constructor":1',
  '"x":{"y":[1]}',
  '"media":{}',
  '"caller":"again"',
  '"call_id":"other"',
  '"total_packets":1',
  '"metadata":null',
  '"media":null',
  '"media":[]',
]
const inner = ['"__proto__":"x"', '"constructor":"x"', '"a":"twice","\\u0061":"twice"', '"x":"y"', '"x":1']

function mediaText({ random }: Ground): string {
  const members: string[] = []
  const usual = random.chance(0.6)
  if (random.chance(0.7))
    members.push(`"encoding":${random.pick(usual ? encodings : [...encodings, ...odd])}`)
  if (random.chance(0.5)) members.push(`"sample_rate":${random.pick(usual ? rates.slice(0, 4) : rates)}`)
  if (random.chance(0.5)) members.push(`"channels":${random.pick(usual ? channels.slice(0, 3) : channels)}`)
  if (random.chance(0.05)) members.push(random.pick([...inner, '"channels":1', '"encoding":"text"']))
  return `{${members.join()}}`
}

function metadataText(ground: Ground): string {
  const { random, number } = ground
  const count = random.chance(0.8) ? random.integer(0, 3) : random.pick([31, 32, 33, 40, 500])
  const members = Array.from({ length: count }, (_, i) => `"k${i}":"${number}"`)
  if (random.chance(0.3)) members.push(`"${random.pick(labels)}":${random.pick(values)}`)
  if (random.chance(0.1)) members.push(random.pick(inner))
  return `{${members.join(random.pick([',', ' , ']))}}`
}

function startText(ground: Ground): string {
  const { random, number } = ground
  const members: string[] = []
  if (random.chance(0.4)) members.push(`"media":${mediaText(ground)}`)
  if (random.chance(0.3)) {
    const known = random.chance(0.7) ? directions.slice(0, 3) : directions
    members.push(`"direction":${random.pick(known)}`)
  }
  for (const name of ['caller', 'callee', 'agent', 'queue'])
    if (random.chance(0.4))
      members.push(`"${name}":${random.chance(0.7) ? `"${name} ${number}"` : random.pick(names)}`)
  if (random.chance(0.5)) members.push(`"metadata":${metadataText(ground)}`)
  if (random.chance(0.1)) members.push(random.pick(more))
  return `{${members.sort(() => random.next() - 0.5).join()}}`
}

export function startBody(ground: Ground): string | Buffer {
  const { random } = ground
  const choice = random.next()
  if (choice < 0.1) return random.pick(['', '{}', ' ', '[]', 'null', '{"media":{}}', '{"metadata":{}}'])
  const text = startText(ground)
  return choice < 0.25 ? mutated(Buffer.from(text), random) : text
}
