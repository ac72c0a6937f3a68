/**
 * A text that says what the call is, and then raw audio in binary messages without any number. One engine; each platform reads its
 * own texts. Audio that comes before the text is held, and where the text never comes the format is assumed.
 */
import { limits } from '../../../limits.js'
import type { Media } from '../../../protocol/media.js'
import { quoted } from '../../../quoted.js'
import { byteOrderOf } from '../../byte-order.js'
import { codecOf, packetBytesOf } from '../../codecs.js'
import type { Dialect, MediaEvent } from '../../dialect.js'
import { HeldMessages } from '../../held-messages.js'
import { textOf } from '../../json-text.js'
import { type Said, streamDetails } from '../../stream-details.js'
import { Warnings } from '../../warnings.js'

export interface PreambleStart {
  readonly kind: 'start'
  readonly call: string | null
  readonly leg: string | null
  readonly track: string
  readonly encoding: string | null
  readonly rate: unknown
  readonly channels: unknown
  /** Of a packet, where the platform says it. */
  readonly packetBytes?: number | null
  readonly said: Said
  /** What the platform waits for, before anything else. */
  readonly reply?: string
  readonly warnings?: readonly string[]
}

export type PreambleText =
  | PreambleStart
  | { readonly kind: 'events'; readonly events: readonly MediaEvent[] }
  | { readonly kind: 'warning'; readonly why: string }
  /** There is no room for it. */
  | { readonly kind: 'refused'; readonly reply: string }

export interface PreambleReader {
  /** What is not said. */
  readonly usualMedia: Media
  /** `isFirst`: no start was read yet. */
  read(text: string, isFirst: boolean): PreambleText
  /** For audio without any text. */
  assume(): PreambleStart
}

const packetMs = 20
const looksMax = 50

export class PreambleStream implements Dialect {
  readonly #reader: PreambleReader
  readonly #held = new HeldMessages()
  readonly #warnings = new Warnings()
  #state: 'before' | 'started' | 'stopped' = 'before'
  #looks = 0
  #dataBytesMax: number = Number.POSITIVE_INFINITY

  constructor(reader: PreambleReader) {
    this.#reader = reader
  }

  feed(message: Uint8Array, isBinary: boolean): readonly MediaEvent[] {
    if (isBinary) return message.length === 0 ? [] : this.#takeAudio(message)
    const read = this.#reader.read(textOf(message), this.#state === 'before')
    switch (read.kind) {
      case 'start':
        return this.#begin(read)
      case 'warning':
        return this.#warnings.once(read.why)
      case 'refused':
        this.#state = 'stopped'
        return [
          { type: 'reply', message: read.reply },
          { type: 'refuse', closeCode: 1013, why: 'the service takes no new calls now' },
        ]
      case 'events':
        return this.#state === 'started' ? this.#pass(read.events) : []
    }
  }

  closed(isClean: boolean): readonly MediaEvent[] {
    const before = this.#held.isEmpty ? [] : this.#assume()
    if (this.#state !== 'started') return before
    this.#state = 'stopped'
    return [...before, { type: 'stop', why: isClean ? 'closed' : 'lost', totals: null }]
  }

  #pass(events: readonly MediaEvent[]): readonly MediaEvent[] {
    if (events.some(({ type }) => type === 'stop')) this.#state = 'stopped'
    return events
  }

  #begin(start: PreambleStart): readonly MediaEvent[] {
    const { usualMedia } = this.#reader
    const { media, foreignName, warning } = codecOf(start.encoding, start.rate, start.channels, usualMedia)
    const labels = [
      ...(start.said.labels ?? []),
      ...(foreignName === null ? [] : [['codec', foreignName] as const]),
    ]
    const { call, token, details, warnings } = streamDetails({ ...start.said, labels })
    const foreign =
      foreignName === null
        ? null
        : `the codec ${quoted(foreignName)} is kept as it came: not played, not transcribed`
    const packetBytes = foreignName === null ? (start.packetBytes ?? packetBytesOf(media, packetMs)) : null
    this.#state = 'started'
    this.#looks = media.encoding === 'pcm_s16le' ? looksMax : 0
    this.#dataBytesMax = packetBytes === null ? limits.dataBytesMax / 2 : Number.POSITIVE_INFINITY
    return [
      ...(start.reply === undefined ? [] : [{ type: 'reply', message: start.reply } as const]),
      ...[warning, foreign, ...warnings, ...(start.warnings ?? [])]
        .filter((why) => why !== null)
        .flatMap((why) => this.#warnings.once(why)),
      {
        type: 'start',
        call: call ?? start.call,
        leg: start.leg,
        tracks: [{ name: start.track, media }],
        packetBytes,
        details,
        token,
        isProbe: false,
      },
      ...this.#held.take().flatMap(({ message }) => this.#takeAudio(message)),
    ]
  }

  #assume(): readonly MediaEvent[] {
    return [
      ...this.#warnings.once('audio came without a text that describes it; its format is assumed'),
      ...this.#begin(this.#reader.assume()),
    ]
  }

  #takeAudio(message: Uint8Array): readonly MediaEvent[] {
    if (this.#state === 'before') return this.#held.add(message, true) ? [] : this.#assume()
    if (this.#state === 'stopped') return this.#warnings.once('audio after the end of its stream is ignored')
    if (message.length > this.#dataBytesMax)
      return this.#warnings.once(`a packet of more than ${this.#dataBytesMax} bytes is dropped`)
    const suspect = this.#lookAtOrder(message)
    const audio: MediaEvent = {
      type: 'audio',
      track: 0,
      index: null,
      atMs: null,
      data: message,
      isBase64: false,
    }
    return suspect === null ? [audio] : [...this.#warnings.once(suspect), audio]
  }

  #lookAtOrder(message: Uint8Array): string | null {
    if (this.#looks === 0) return null
    this.#looks--
    const order = byteOrderOf(message.subarray(0, 640))
    if (order !== null) this.#looks = 0
    return order === 'big'
      ? 'the samples look like network byte order, which the platform does not document: suspect'
      : null
  }
}
