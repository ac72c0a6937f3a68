/**
 * The wire of `voicestream.ingest.v1`: text is JSON control, binary is data, little endian. Pure.
 *
 *     audio  u8 1 · u8 0 · u16 stream · u32 first sequence · u32 ms since the stream began · u16 packets · u16 bytes a packet · bytes
 *     lost   u8 2 · u8 0 · u16 stream · u32 first · u32 last
 *     ack    u8 1 · u8 0 · u16 0 · u32 messages, the other way: binary messages 1 … n of this connection are settled
 *
 * A message holds any number of blocks, one behind the other.
 */
import { limits } from '../../limits.js'

export const subprotocol = 'voicestream.ingest.v1'
export const audioHeaderBytes = 16
export const lostBytes = 12

export type NativeBlock =
  | {
      readonly type: 'audio'
      readonly stream: number
      readonly first: number
      readonly atMs: number
      readonly packets: number
      /** Packets of equal length, one behind the other; a view of the message. */
      readonly data: Uint8Array
    }
  | { readonly type: 'lost'; readonly stream: number; readonly first: number; readonly last: number }

export class WireError extends Error {
  override readonly name = 'WireError'
}

/** Throws a `WireError` before anything of the message is taken, when any of it is not as above. */
export function readBlocks(message: Uint8Array): readonly NativeBlock[] {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength)
  const blocks: NativeBlock[] = []
  for (let at = 0; at < message.length; ) {
    const type = message[at]
    if (type === 1) {
      if (at + audioHeaderBytes > message.length) throw new WireError('a block is cut off')
      const first = view.getUint32(at + 4, true)
      const packets = view.getUint16(at + 12, true)
      const bytes = view.getUint16(at + 14, true)
      const end = at + audioHeaderBytes + packets * bytes
      if (packets === 0 || bytes === 0) throw new WireError('a block of audio has packets of at least a byte')
      if (packets > limits.blockPacketsMax || bytes > limits.dataBytesMax)
        throw new WireError(
          `a block has at most ${limits.blockPacketsMax} packets of ${limits.dataBytesMax} bytes`,
        )
      if (first + packets - 1 > limits.sequenceMax) throw new WireError('a sequence is past its bound')
      if (end > message.length) throw new WireError('a block is cut off')
      const stream = view.getUint16(at + 2, true)
      const atMs = view.getUint32(at + 8, true)
      blocks.push({
        type: 'audio',
        stream,
        first,
        atMs,
        packets,
        data: message.subarray(at + audioHeaderBytes, end),
      })
      at = end
    } else if (type === 2) {
      if (at + lostBytes > message.length) throw new WireError('a block is cut off')
      const first = view.getUint32(at + 4, true)
      const last = view.getUint32(at + 8, true)
      if (last < first || last > limits.sequenceMax) throw new WireError('a lost range ends before it begins')
      blocks.push({ type: 'lost', stream: view.getUint16(at + 2, true), first, last })
      at += lostBytes
    } else throw new WireError(`${type} is no kind of block`)
  }
  return blocks
}

export function ackMessage(messages: number): Uint8Array {
  const ack = new Uint8Array(8)
  ack[0] = 1
  new DataView(ack.buffer).setUint32(4, messages, true)
  return ack
}
