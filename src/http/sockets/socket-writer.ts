/**
 * Writes a supervisor's stream to its socket, as far as the socket takes it. uWebSockets.js buffers up to
 * `inFlightBytesMax` for it; past its own bound it would drop messages, silently, so it is never asked for more. Nothing
 * waits here: what cannot be written stays in the stream, where it costs nothing. A socket that takes nothing and falls
 * behind is closed, because its supervisor looks at an old picture and does not know.
 */
import { performance } from 'node:perf_hooks'
import type { Pumped } from '../../feed/fan-out.js'
import type { SupervisorStream } from '../../feed/supervisor-stream.js'
import { limits } from '../../limits.js'

/** Of a WebSocket, what is used here. */
export interface WritableSocket {
  send(text: string): number
  cork(write: () => void): unknown
  getBufferedAmount(): number
}

export const inFlightBytesMax = 64 * 1024
/** `send` returns it for a message that it has thrown away. */
const dropped = 2

export class SocketWriter implements Pumped {
  readonly #socket: WritableSocket
  readonly #stream: SupervisorStream
  readonly #tooSlow: () => void
  #isBlocked = false
  #isClosed = false
  /** The least that it was ever behind: who resumes begins far behind, and is not to blame for it. */
  #leastLagBytes = Number.POSITIVE_INFINITY
  #laggingSince: number | null = null
  #wroteAt = performance.now()

  constructor(socket: WritableSocket, stream: SupervisorStream, tooSlow: () => void) {
    this.#socket = socket
    this.#stream = stream
    this.#tooSlow = tooSlow
  }

  /** Nothing may be written any more. */
  close(): void {
    this.#isClosed = true
  }

  /** Not taken yet: about what waits in the stream, and what was written. */
  get queuedBytes(): number {
    return this.#isClosed ? 0 : this.#stream.lagBytes + this.#socket.getBufferedAmount()
  }

  pump(): boolean {
    if (this.#isClosed || !this.#stream.hasMore) return false
    let hasMore = false
    // One write for many messages.
    this.#socket.cork(() => {
      hasMore = this.#write()
    })
    return hasMore
  }

  /** Now and then: is it too slow, and has it heard anything of late? */
  look(): void {
    if (this.#isClosed) return
    const now = performance.now()
    if (this.#isBlocked && this.#room() > 0) this.#isBlocked = false
    this.#closeIfTooSlow(now)
    if (this.#isClosed || this.#isBlocked || this.#stream.hasMore) return
    if (now - this.#wroteAt < limits.supervisorHeartbeatMs) return
    const text = this.#stream.heartbeat()
    if (text !== null) this.#send(text, now)
  }

  #room(): number {
    return inFlightBytesMax - this.#socket.getBufferedAmount()
  }

  #write(): boolean {
    const stream = this.#stream
    // Once for all of them: a look at the clock costs a quarter of a message.
    const now = performance.now()
    let room = this.#room()
    for (let count = 0; count < limits.supervisorMessagesPerTurn; count++) {
      // Asked now and then, and reckoned meanwhile: to ask before each message costs as much as to send it.
      if (room <= 0) room = this.#room()
      this.#isBlocked = room <= 0
      if (stream.isEvicted) return this.#end()
      if (this.#isBlocked) {
        stream.skip()
        this.#closeIfTooSlow(now)
        return false
      }
      const text = stream.next()
      if (text === null) break
      room -= text.length
      if (!this.#send(text, now)) return false
    }
    return stream.hasMore
  }

  #send(text: string, now: number): boolean {
    this.#wroteAt = now
    if (this.#socket.send(text) !== dropped) return true
    return this.#end()
  }

  #closeIfTooSlow(now: number): void {
    const lagBytes = this.#stream.lagBytes
    this.#leastLagBytes = Math.min(this.#leastLagBytes, lagBytes)
    if (!this.#isBlocked || lagBytes <= this.#leastLagBytes + limits.supervisorLagBytesMax) {
      this.#laggingSince = null
      return
    }
    this.#laggingSince ??= now
    if (now - this.#laggingSince > limits.supervisorLagMsMax) this.#end()
  }

  #end(): false {
    if (!this.#isClosed) this.#tooSlow()
    this.#isClosed = true
    return false
  }
}
