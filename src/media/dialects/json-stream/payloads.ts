/**
 * A payload of base64 as a packet's data. It passes as it came, but for linear samples in the wrong byte order or with half a
 * sample at the end: one of these would spoil the recording of the whole call.
 */
import { Buffer } from 'node:buffer'
import { limits } from '../../../limits.js'
import type { Media } from '../../../protocol/media.js'
import { type ByteOrder, byteOrderOf } from '../../byte-order.js'
import { frameBytesOf } from '../../codecs.js'

export type Payload =
  | {
      readonly kind: 'data'
      readonly data: Uint8Array
      readonly isBase64: boolean
      readonly warning: string | null
    }
  | { readonly kind: 'none'; readonly warning: string }

/** Looks at so many packets for a byte order; one of silence says nothing. */
const looksMax = 50

export class Payloads {
  readonly #isLinear: boolean
  readonly #frameBytes: number
  readonly #mayBeBigEndian: boolean
  #order: ByteOrder | null
  #looks = 0

  /** `order` is what the request says of it. */
  constructor(media: Media, mayBeBigEndian: boolean, order: ByteOrder | null) {
    this.#isLinear = media.encoding === 'pcm_s16le'
    this.#frameBytes = frameBytesOf(media) ?? 1
    this.#mayBeBigEndian = mayBeBigEndian
    this.#order = order
  }

  take(text: Uint8Array): Payload {
    if (text.length === 0) return { kind: 'none', warning: 'a packet without audio' }
    if (text.length > limits.dataBytesMax)
      return { kind: 'none', warning: `a packet is longer than ${limits.dataBytesMax} characters of base64` }
    if (!this.#isLinear) return { kind: 'data', data: text, isBase64: true, warning: null }
    return this.#takeLinear(text)
  }

  #takeLinear(text: Uint8Array): Payload {
    const left = base64Bytes(text) % this.#frameBytes
    const warning = this.#lookAtOrder(text)
    const mustSwap = this.#order === 'big' && this.#mayBeBigEndian
    if (left === 0 && !mustSwap) return { kind: 'data', data: text, isBase64: true, warning }
    const bytes = decoded(text)
    const samples = bytes.subarray(0, bytes.length - left)
    if (samples.length === 0) return { kind: 'none', warning: 'a packet of less than a sample' }
    if (mustSwap) samples.swap16()
    return {
      kind: 'data',
      data: samples,
      isBase64: false,
      warning: left === 0 ? warning : 'half a sample at the end of a packet is cut off',
    }
  }

  #lookAtOrder(text: Uint8Array): string | null {
    if (this.#order !== null || this.#looks >= looksMax) return null
    this.#looks++
    this.#order = byteOrderOf(decoded(text))
    if (this.#order !== 'big') return null
    return this.#mayBeBigEndian
      ? 'the samples are in network byte order; they are turned round'
      : 'the samples look like network byte order, which the platform does not document: suspect'
  }
}

/** Of canonical base64. */
export function base64Bytes(text: Uint8Array): number {
  const equals = 0x3d
  const { length } = text
  const padding = text[length - 1] === equals ? (text[length - 2] === equals ? 2 : 1) : 0
  return Math.floor(((length - padding) * 3) / 4)
}

function decoded(text: Uint8Array): Buffer {
  return Buffer.from(Buffer.prototype.latin1Slice.call(text, 0, text.length), 'base64')
}
