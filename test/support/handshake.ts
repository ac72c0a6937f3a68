/** The WebSocket handshake of a supervisor as it is written, for those who look at its bytes or never read. */
import { connect, type Socket } from 'node:net'
import { rawRequest } from './raw-connection.js'

/** The example of RFC 6455 §1.3. */
export const handshakeKey = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
export const handshakeLines = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  handshakeKey,
] as const

/** `query` with its question mark, where there is one. */
export function supervisorHandshake(query = '', lines: readonly string[] = []): string {
  return rawRequest({
    method: 'GET',
    path: `/ws/supervisor${query}`,
    lines: [...lines, ...handshakeLines],
  })
}

interface Owner {
  after(undo: () => void): void
}

/** A supervisor that never reads: nothing in this process takes a byte off its socket until it is resumed. */
export function connectUnread(owner: Owner, { port }: { readonly port: number }, query = ''): Socket {
  const socket = connect({ host: '127.0.0.1', port })
  owner.after(() => socket.destroy())
  socket.on('error', () => {})
  socket.pause()
  socket.write(supervisorHandshake(query))
  return socket
}
