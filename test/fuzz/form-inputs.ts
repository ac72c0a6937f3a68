/**
 * Requests in the forms that old senders and other proxies use: RFC 9112 knows them, and uWebSockets.js reads none of
 * them. Each may be refused or left without an answer; none may hide another one, or be acknowledged and not stored.
 */
import { type Ground, hiddenRequest, packetPath, packetText, request, validPacket } from './ground.js'

const authorities = [
  'localhost',
  'LOCALHOST:80',
  '127.0.0.1',
  '[::1]:8000',
  'evil.example',
  'user@localhost',
  '',
]
const schemes = ['http', 'https', 'HTTP', 'ws', 'ftp']

function absoluteTarget(ground: Ground): Buffer {
  const { random } = ground
  const body = packetText(ground)
  const target = `${random.pick(schemes)}://${random.pick(authorities)}${packetPath(ground)}`
  return request(`POST ${target} HTTP/1.1`, [`Content-Length: ${body.length}`], body)
}

/** Some senders of HTTP/1.0 name no host, and some want their connection kept. */
function olderVersion(ground: Ground): Buffer {
  const { random } = ground
  const lines = random.pick([[], ['Connection: keep-alive'], ['Connection: close']])
  const text = validPacket(ground, lines).toString('latin1').replace(' HTTP/1.1', ' HTTP/1.0')
  return Buffer.from(random.chance(0.3) ? text.replace('Host: localhost\r\n', '') : text, 'latin1')
}

const oneOf = (ground: Ground): Buffer =>
  ground.random.pick([validPacket, absoluteTarget, olderVersion])(ground)

/** Requests with empty lines before, between and behind them, in one write or in several. */
export function oddForm(ground: Ground): readonly Buffer[] {
  const { random } = ground
  const empty = () => Buffer.from(random.pick(['\r\n', '\r\n', '\n', '\r\n\r\n', '']))
  const parts = [empty(), oneOf(ground), empty(), random.chance(0.5) ? oneOf(ground) : hiddenRequest(ground)]
  if (random.chance(0.5)) return parts
  return random.chance(0.5) ? [Buffer.concat(parts)] : [Buffer.concat(parts.slice(0, 3)), ...parts.slice(3)]
}
