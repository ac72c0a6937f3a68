/** The messages in the first bytes of a client's WebSocket connection: behind the upgrade, whole frames only, unmasked. */
import { Buffer } from 'node:buffer'
import { readFileSync } from 'node:fs'

export interface CapturedMessage {
  readonly isBinary: boolean
  readonly bytes: Buffer
}

export function readCapture(name: string): Buffer {
  return readFileSync(`test/media/captures/${name}.bin`)
}

export function capturedMessages(capture: Buffer): { url: URL; messages: CapturedMessage[] } {
  const end = capture.indexOf('\r\n\r\n') + 4
  const path = capture.toString('latin1', 0, end).split(' ')[1] ?? ''
  const messages: CapturedMessage[] = []
  for (let at = end; at + 2 <= capture.length; ) {
    const opcode = (capture[at] as number) & 0x0f
    const short = (capture[at + 1] as number) & 0x7f
    const head = short === 126 ? 8 : 6
    const length = short === 126 ? capture.readUInt16BE(at + 2) : short
    if (at + head + length > capture.length) break
    const mask = capture.subarray(at + head - 4, at + head)
    const bytes = Buffer.from(capture.subarray(at + head, at + head + length))
    for (let i = 0; i < length; i++) bytes[i] = (bytes[i] as number) ^ (mask[i % 4] as number)
    if (opcode === 1 || opcode === 2) messages.push({ isBinary: opcode === 2, bytes })
    at += head + length
  }
  return { url: new URL(path, 'http://asterisk.test'), messages }
}
