/**
 * Counts the messages of a server's WebSocket stream (RFC 6455 §5.2, unmasked) without decoding them: a supervisor
 * that reads everything should cost the cores that the service is measured on as little as it can.
 */
const opcodes = { close: 8, ping: 9 } as const

export interface FrameWatcher {
  ping(payload: Buffer): void
  closed(code: number): void
}

export class FrameCounter {
  messages = 0
  bytes = 0
  readonly #watcher: FrameWatcher
  readonly #header = Buffer.alloc(10)
  #headerLength = 0
  #left = 0
  #isInPayload = false
  #control: Buffer[] = []

  constructor(watcher: FrameWatcher) {
    this.#watcher = watcher
  }

  push(chunk: Buffer): void {
    this.bytes += chunk.length
    for (let at = 0; at < chunk.length; ) {
      if (this.#isInPayload) at = this.#skipPayload(chunk, at)
      else this.#takeHeaderByte(chunk[at++] as number)
    }
  }

  #takeHeaderByte(byte: number): void {
    const header = this.#header
    header[this.#headerLength++] = byte
    const length = (header[1] as number) & 0x7f
    const wanted = length === 127 ? 10 : length === 126 ? 4 : 2
    if (this.#headerLength < 2 || this.#headerLength < wanted) return
    this.#left = wanted === 2 ? length : wanted === 4 ? header.readUInt16BE(2) : header.readUInt32BE(6)
    this.#headerLength = 0
    this.#isInPayload = true
    if (this.#left === 0) this.#end()
  }

  #skipPayload(chunk: Buffer, at: number): number {
    const end = Math.min(at + this.#left, chunk.length)
    if (this.#isControl) this.#control.push(Buffer.from(chunk.subarray(at, end)))
    this.#left -= end - at
    if (this.#left === 0) this.#end()
    return end
  }

  get #isControl(): boolean {
    return ((this.#header[0] as number) & 0x08) !== 0
  }

  #end(): void {
    this.#isInPayload = false
    const first = this.#header[0] as number
    if (!this.#isControl) {
      if ((first & 0x80) !== 0) this.messages++
      return
    }
    const payload = Buffer.concat(this.#control)
    this.#control = []
    if ((first & 0x0f) === opcodes.ping) this.#watcher.ping(payload)
    if ((first & 0x0f) === opcodes.close)
      this.#watcher.closed(payload.length >= 2 ? payload.readUInt16BE(0) : 1005)
  }
}

/** A masked control frame, as clients must send them. A mask of zeros leaves the payload as it is. */
export function clientFrame(opcode: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | payload.length, 0, 0, 0, 0]), payload])
}
