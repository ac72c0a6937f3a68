/**
 * Asterisk's AudioSocket over TCP: a session for each connection. The protocol has no authentication, so it listens on an
 * address of its own. Nothing here ever stops reading: Asterisk would block, or cut a frame short and stay silent.
 */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { limits } from '../limits.js'
import type { DialectKind } from './dialect.js'
import { AudioSocket, type AudioSocketRules } from './dialects/audiosocket.js'
import { MediaSession, type SessionPorts } from './media-session.js'

export interface AudioSocketPorts extends Omit<SessionPorts, 'send' | 'close' | 'admits' | 'refused'> {
  readonly rules: AudioSocketRules
}

export class AudioSocketServer {
  readonly #ports: AudioSocketPorts
  readonly #kind: DialectKind
  readonly #server: Server
  readonly #sessions = new Map<Socket, MediaSession>()

  constructor(ports: AudioSocketPorts) {
    this.#ports = ports
    this.#kind = {
      name: 'audiosocket',
      subprotocols: [],
      messageBytesMax: Number.POSITIVE_INFINITY,
      create: () => new AudioSocket(ports.rules),
    }
    this.#server = createServer({ noDelay: true, keepAlive: true }, (socket) => this.#accept(socket))
    this.#server.maxConnections = limits.mediaSocketsMax
  }

  /** Resolves with the port. Rejects when the address cannot be had. */
  async listen(host: string, port: number): Promise<number> {
    this.#server.listen(port, host)
    await once(this.#server, 'listening')
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : port
  }

  get count(): number {
    return this.#sessions.size
  }

  get isBusy(): boolean {
    return [...this.#sessions.values()].some((session) => session.isBusy)
  }

  closeAll(): void {
    this.#server.close()
    for (const session of this.#sessions.values()) session.goAway()
  }

  #accept(socket: Socket): void {
    const session = new MediaSession(
      {
        ...this.#ports,
        admits: () => ({ onlyCall: null }),
        refused: () => {},
        send: (message) => void socket.write(message),
        close: () => socket.end(),
      },
      this.#kind,
      {
        query: new Map(),
        segment: null,
        headers: new Map(),
        newId: () => randomUUID(),
        isAdmitted: true,
        onlyCall: null,
      },
    )
    this.#sessions.set(socket, session)
    let isClean = false
    socket.setTimeout(limits.mediaIdleSeconds * 1000, () => socket.destroy())
    socket.on('data', (data) => session.message(data, true))
    socket.on('end', () => {
      isClean = true
    })
    // `close` follows, and says the rest.
    socket.on('error', () => {})
    socket.on('close', () => {
      session.closed(isClean)
      this.#sessions.delete(socket)
    })
  }
}
