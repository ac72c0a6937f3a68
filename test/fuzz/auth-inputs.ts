/** Who somebody says to be: tokens, tickets and origins, known ones and those that are near them. */
import type { Random } from '../torture/random.js'
import { fuzzOrigin, fuzzTokens } from './admission.js'
import { type Ground, mutated, packetPath, packetText, request, validPacket } from './ground.js'
import { handshakeLines } from './websocket-inputs.js'

/**
 * A ticket is only known once the service has made one, so these stand for it until an input is tried: one that is good,
 * one that was used, and neighbours of a good one. Each is as long as a ticket is.
 */
export const ticketForms = {
  good: 'G'.repeat(43),
  used: 'U'.repeat(43),
  otherEnd: 'E'.repeat(43),
  otherCase: 'C'.repeat(43),
} as const

const known = Object.values(fuzzTokens)

/** Near a token that is known, and none. */
function nearToken(random: Random): string {
  const token = random.pick(known)
  const at = random.integer(0, token.length - 1)
  return random.pick([
    token.slice(0, at),
    token.slice(1),
    `${token}${random.pick(['x', '=', '0', ',', '.', token, ' x', '\t;', 'é'])}`,
    `${random.pick(['x', '=', '"', '*'])}${token}`,
    `"${token}"`,
    token.toUpperCase(),
    token.slice(0, at) + String.fromCharCode(token.charCodeAt(at) ^ 1) + token.slice(at + 1),
    [...token].reverse().join(''),
    `${token},${random.pick(known)}`,
    Buffer.from(token).toString('base64'),
    encodeURIComponent(`${token}%`),
    '',
    '*',
    'null',
    'undefined',
    '__proto__',
    'x'.repeat(random.pick([16, 24, 256, 257, 3000])),
  ])
}

function authorization(random: Random): readonly string[] {
  const token = random.chance(0.35) ? random.pick(known) : nearToken(random)
  const scheme = random.chance(0.7)
    ? 'Bearer '
    : random.pick([
        'bearer ',
        'BEARER  ',
        'Bearer',
        'Basic ',
        '',
        'Bearer\t',
        'Bearer: ',
        'Bearer Bearer ',
        'Token ',
      ])
  const name = random.chance(0.85)
    ? 'Authorization: '
    : random.pick([
        'authorization:',
        'AUTHORIZATION: ',
        'Authorisation: ',
        'Proxy-Authorization: ',
        'Cookie: token=',
      ])
  const line = `${name}${scheme}${token}`
  if (random.chance(0.8)) return [line]
  return random.pick([
    [],
    [line, `Authorization: Bearer ${random.pick(known)}`],
    [`Authorization: Bearer ${nearToken(random)}`, line],
    [': no name', line],
    [`X-Original: a\r\n ${line}`],
  ])
}

const origins = [
  fuzzOrigin,
  'http://localhost',
  'null',
  '',
  'https://floor.example.com.evil.example',
  'https://evil.example',
  'https://floor.example.com:443',
  'http://floor.example.com',
  'https://FLOOR.example.com',
  'https://floor.example.com/',
  'https://user@floor.example.com',
  `${fuzzOrigin}, https://evil.example`,
]
const originLines = (random: Random): readonly string[] =>
  random.chance(0.6)
    ? []
    : Array.from({ length: random.chance(0.9) ? 1 : 2 }, () => `Origin: ${random.pick(origins)}`)

const readTargets = [
  '/v1/calls?limit=1',
  '/v1/calls',
  '/v1/call/bystander.open',
  '/v1/call/bystander.done/packets',
  '/v1/call/bystander.done/gaps',
  '/v1/call/bystander.done/transcript',
  '/v1/call/bystander.sound/audio.wav',
  '/v1/floor',
  '/v1/calls?q=simulated',
  '/v1//calls',
  '/health/../v1/calls',
  '/docs/../v1/calls',
  '/v1/calls?access_token=',
  '/v1/calls#/health/live',
]

function anyRoute(ground: Ground, lines: readonly string[]): Buffer {
  const { random } = ground
  const body = packetText(ground)
  const line = `{"call_id":${JSON.stringify(random.pick(ground.calls))},${body.slice(1)}`
  const withBody = (target: string, text: string, type?: string) =>
    request(`POST ${target} HTTP/1.1`, [`Content-Length: ${text.length}`, ...lines], text, type)
  return random.pick([
    () => validPacket(ground, lines),
    () => withBody(packetPath(ground), body),
    () => withBody('/v1/packets', line, 'application/x-ndjson'),
    () => withBody(`/v1/call/start/${ground.started}`, `{"agent":"${ground.number}"}`),
    () => withBody('/v1/call/complete/bystander.open', '{"total_packets":3}'),
    () => withBody('/v1/call/retry/bystander.done', ''),
    () => withBody('/v1/supervisor/ticket', ''),
    () => request(`DELETE /v1/call/${random.pick(['bystander.open', 'nobody'])} HTTP/1.1`, lines),
    () => request(`GET ${random.pick(readTargets)} HTTP/1.1`, lines),
    () => request(`HEAD ${random.pick(readTargets)} HTTP/1.1`, lines),
  ])()
}

/** Bystanders must stay as they are, so whoever may erase or complete one is not let try. */
function isHarmless(bytes: Buffer): boolean {
  const text = bytes.toString('latin1')
  const mayErase = text.includes(fuzzTokens.admin) && /DELETE.*bystander/s.test(text)
  const mayComplete = text.includes(fuzzTokens.ingest) && text.includes('complete/bystander')
  return !mayErase && !mayComplete
}

function ticketOf(random: Random): string {
  const form = random.pick([ticketForms.good, ...Object.values(ticketForms)])
  return random.chance(0.6)
    ? form
    : random.pick([
        `${form}x`,
        form.slice(0, 42),
        `%${form}`,
        '',
        `x&ticket=${ticketForms.used}`,
        fuzzTokens.supervisor,
        `${ticketForms.used}&token=${fuzzTokens.supervisor}`,
        '%00',
        'x'.repeat(2000),
      ])
}

function socket({ random }: Ground): Buffer {
  const origin = random.chance(0.6) ? [`Origin: ${fuzzOrigin}`] : originLines(random)
  const header = random.chance(0.3) ? authorization(random) : []
  const query = random.chance(0.85) ? `?ticket=${ticketOf(random)}` : ''
  const head = [`GET /ws/supervisor${query} HTTP/1.1`, ...handshakeLines, ...origin, ...header]
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1')
}

export function authInput(ground: Ground): readonly [name: string, writes: readonly Buffer[]] {
  const { random } = ground
  if (random.chance(0.1)) {
    const bearer = `Authorization: Bearer ${fuzzTokens.ingest}`
    return ['known', [validPacket(ground, [bearer])]]
  }
  if (random.chance(0.35)) return ['ticket', [socket(ground)]]
  const bytes = anyRoute(ground, [...originLines(random), ...authorization(random)])
  const tried = random.chance(0.8) ? bytes : mutated(bytes, random)
  return ['token', [isHarmless(tried) ? tried : validPacket(ground)]]
}
