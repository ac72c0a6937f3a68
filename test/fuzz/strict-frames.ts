/**
 * What a client's frames are by RFC 6455, read strictly and without the service's code: which pings are to be answered,
 * and whether the stream then goes on, ends, or must be failed.
 */
export interface StrictFrames {
  /** Payloads of the pings before the end, in their order. */
  readonly pings: readonly Buffer[]
  /**
   * `open`: all is well, and nothing is half sent. `over`: closed by the client, or an error that must end the
   * connection. `partial`: the last frame or message is not whole. `either`: the RFC says one thing and servers do another.
   */
  readonly end: 'open' | 'over' | 'partial' | 'either'
}

/** The largest message that the service takes. */
const messageBytesMax = 4096
/** So many messages on one socket may be too many for a limit of their rate. */
const framesPlainMax = 40
const continuation = 0
const text = 1
const close = 8
const ping = 9

interface Frame {
  readonly isFinal: boolean
  readonly opcode: number
  readonly payload: Buffer
  readonly end: number
}

class Reading {
  readonly pings: Buffer[] = []
  isOdd = false
  #parts: Buffer[] | null = null
  #isText = false
  frames = 0

  get isBetweenMessages(): boolean {
    return this.#parts === null
  }

  /** Whether the connection is over with this frame. */
  take({ isFinal, opcode, payload }: Frame): boolean {
    this.frames++
    if (opcode >= close) {
      if (!isFinal || payload.length > 125 || opcode > 10) return true
      if (opcode === ping) this.pings.push(payload)
      return opcode === close
    }
    if (opcode > 2 || (opcode === continuation && this.#parts === null)) return true
    // It must be failed, but uWebSockets.js takes one message within another.
    if (opcode !== continuation && this.#parts !== null) this.isOdd = true
    if (opcode !== continuation) this.#isText = opcode === text
    this.#parts = [...(this.#parts ?? []), payload]
    const bytes = this.#parts.reduce((sum, part) => sum + part.length, 0)
    if (bytes > messageBytesMax) return true
    if (!isFinal) return false
    const whole = Buffer.concat(this.#parts)
    this.#parts = null
    return this.#isText && !isUtf8(whole)
  }
}

export function readFrames(bytes: Buffer): StrictFrames {
  const reading = new Reading()
  const result = (end: StrictFrames['end']): StrictFrames => ({
    pings: reading.pings,
    end: reading.isOdd || reading.frames > framesPlainMax ? 'either' : end,
  })
  for (let at = 0; at < bytes.length; ) {
    const frame = readFrame(bytes, at, reading)
    if (typeof frame === 'string') return result(frame)
    if (reading.take(frame)) return result('over')
    at = frame.end
  }
  return result(reading.isBetweenMessages ? 'open' : 'partial')
}

function readFrame(bytes: Buffer, start: number, reading: Reading): Frame | 'partial' | 'over' {
  const [first = 0, second = 0] = bytes.subarray(start, start + 2)
  // The least that a client's frame has; before that a server need not look at it.
  if (bytes.length - start < 6) return 'partial'
  // No extension is ever agreed upon, so no reserved bit may stand.
  if ((first & 0x70) !== 0) return 'over'
  const short = second & 0x7f
  const lengthBytes = short === 127 ? 8 : short === 126 ? 2 : 0
  const maskAt = start + 2 + lengthBytes
  if (maskAt + 4 > bytes.length) return 'partial'
  const length = lengthBytes === 0 ? BigInt(short) : BigInt(`0x${bytes.toString('hex', start + 2, maskAt)}`)
  // uWebSockets.js takes every frame for a masked one, and the shortest form of a length for granted.
  if ((second & 0x80) === 0) reading.isOdd = true
  if (lengthBytes === 2 && length < 126n) reading.isOdd = true
  if (lengthBytes === 8 && (length < 65_536n || length >= 2n ** 63n)) reading.isOdd = true
  const opcode = first & 0x0f
  if (opcode >= close && (length > 125n || (first & 0x80) === 0)) return 'over'
  if (length > BigInt(messageBytesMax)) return 'over'
  const payloadAt = maskAt + 4
  const end = payloadAt + Number(length)
  if (end > bytes.length) return 'partial'
  const mask = bytes.subarray(maskAt, payloadAt)
  const payload = Buffer.from(bytes.subarray(payloadAt, end))
  for (let i = 0; i < payload.length; i++) payload[i] = (payload[i] ?? 0) ^ (mask[i % 4] ?? 0)
  return { isFinal: (first & 0x80) !== 0, opcode, payload, end }
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

function isUtf8(bytes: Buffer): boolean {
  try {
    utf8.decode(bytes)
    return true
  } catch {
    return false
  }
}

/** What a server sends: its pongs, and the code of its close frame. */
export function readServerFrames(bytes: Buffer): {
  pongs: readonly Buffer[]
  closeCode: number | null
  isBroken: boolean
} {
  const pongs: Buffer[] = []
  for (let at = 0; at + 2 <= bytes.length; ) {
    const opcode = (bytes[at] ?? 0) & 0x0f
    const short = (bytes[at + 1] ?? 0) & 0x7f
    if (((bytes[at] ?? 0) & 0x70) !== 0 || ((bytes[at + 1] ?? 0) & 0x80) !== 0)
      return { pongs, closeCode: null, isBroken: true }
    const lengthBytes = short === 127 ? 8 : short === 126 ? 2 : 0
    const payloadAt = at + 2 + lengthBytes
    if (payloadAt > bytes.length) break
    const length = lengthBytes === 0 ? short : Number(`0x${bytes.toString('hex', at + 2, payloadAt)}`)
    const end = payloadAt + length
    if (end > bytes.length) break
    const payload = bytes.subarray(payloadAt, end)
    if (opcode === 10) pongs.push(Buffer.from(payload))
    if (opcode === close)
      return { pongs, closeCode: payload.length >= 2 ? payload.readUInt16BE(0) : 1005, isBroken: false }
    at = end
  }
  return { pongs, closeCode: null, isBroken: false }
}
