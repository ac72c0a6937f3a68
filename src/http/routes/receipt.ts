/**
 * The receipt of a packet, written as bytes: it is sent for every packet, and a text would be pieced together, measured
 * and copied twice on its way into the socket.
 */
import { Buffer } from 'node:buffer'
import type { ReceiptFacts } from '../../actors/call-facts.js'
import { limits } from '../../limits.js'

const messages = {
  accepted: 'Packet received successfully',
  duplicate: 'Packet already received',
  rejected: 'The grace period of the call is over',
} as const satisfies Record<ReceiptFacts['status'], string>

const digitsMax = 10
/** More than the words and the numbers beside the list of missing ones take. */
const wordsMax = 512
const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const zero = 0x30
const sequenceKey = Buffer.from('","sequence":', 'latin1')
const trackKey = Buffer.from('","track":', 'latin1')
const sequenceBehindTrackKey = Buffer.from(',"sequence":', 'latin1')
const totalReceivedKey = Buffer.from(',"total_received":', 'latin1')
const missingSequencesKey = Buffer.from(',"missing_sequences":[', 'latin1')
const missingCountKey = Buffer.from('],"missing_count":', 'latin1')

/** One buffer a status: what stands before the call id is always the same, and stays. */
class ReceiptWriter {
  readonly #buffer = Buffer.alloc(
    wordsMax + 2 * limits.callIdCharactersMax + limits.missingListedMax * (digitsMax + 1),
  )
  readonly #callIdAt: number
  readonly #end: Buffer

  constructor(status: ReceiptFacts['status']) {
    const head = `{"status":"${status}","message":"${messages[status]}","call_id":"`
    this.#callIdAt = this.#buffer.write(head, 'latin1')
    this.#end = Buffer.from(`,"duplicate":${status === 'duplicate'}}`, 'latin1')
  }

  write({
    callId,
    track,
    sequence,
    totalReceived,
    missingSequences,
    missingCount,
  }: ReceiptFacts): Uint8Array {
    const buffer = this.#buffer
    let at = putCallId(buffer, this.#callIdAt, callId)
    if (track > 0) {
      at = putBytes(buffer, at, trackKey)
      at = putInteger(buffer, at, track)
      at = putBytes(buffer, at, sequenceBehindTrackKey)
    } else at = putBytes(buffer, at, sequenceKey)
    at = putInteger(buffer, at, sequence)
    at = putBytes(buffer, at, totalReceivedKey)
    at = putInteger(buffer, at, totalReceived)
    at = putBytes(buffer, at, missingSequencesKey)
    for (let i = 0; i < missingSequences.length; i++) {
      if (i > 0) buffer[at++] = comma
      at = putInteger(buffer, at, missingSequences[i] as number)
    }
    at = putBytes(buffer, at, missingCountKey)
    at = putInteger(buffer, at, missingCount)
    return buffer.subarray(0, putBytes(buffer, at, this.#end))
  }
}

/** A call id is ASCII, of which JSON escapes the quote and the backslash. */
function putCallId(buffer: Buffer, first: number, text: string): number {
  let at = first
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === quote || code === backslash) buffer[at++] = backslash
    buffer[at++] = code
  }
  return at
}

/** Short ones: a loop is quicker than `set`, which leaves the compiled code. */
function putBytes(buffer: Buffer, first: number, bytes: Buffer): number {
  for (let i = 0; i < bytes.length; i++) buffer[first + i] = bytes[i] as number
  return first + bytes.length
}

/** In digits; `value` is an integer ≥ 0. */
function putInteger(buffer: Buffer, first: number, value: number): number {
  let end = first + 1
  for (let bound = 10; value >= bound; bound *= 10) end++
  let rest = value
  for (let at = end - 1; at >= first; at--) {
    const tenth = Math.floor(rest / 10)
    buffer[at] = zero + rest - tenth * 10
    rest = tenth
  }
  return end
}

const writers: Readonly<Record<ReceiptFacts['status'], ReceiptWriter>> = {
  accepted: new ReceiptWriter('accepted'),
  duplicate: new ReceiptWriter('duplicate'),
  rejected: new ReceiptWriter('rejected'),
}

/** JSON, in UTF-8. Valid until the next receipt is encoded. */
export function encodeReceipt(facts: ReceiptFacts): Uint8Array {
  return writers[facts.status].write(facts)
}
