/**
 * JSON messages with audio in base64, as Twilio and its relatives send them. One engine for all of them; `platforms` has their
 * words. Audio that comes before its start is held, and where the start never comes one is made of what the audio says.
 */
import { Buffer } from 'node:buffer'
import { quoted } from '../../../quoted.js'
import type { ByteOrder } from '../../byte-order.js'
import type { Dialect, DialectRequest, MediaEvent } from '../../dialect.js'
import { HeldMessages } from '../../held-messages.js'
import {
  isObject,
  type JsonObject,
  objectAt,
  parseJson,
  textAt,
  textOf,
  wholeNumberAt,
} from '../../json-text.js'
import { Warnings } from '../../warnings.js'
import { JsonLeg, type MediaMessage } from './json-leg.js'
import { type MediaFields, scanKeys, scanMedia } from './media-scan.js'
import type { StreamPlatform, StreamStart } from './platforms.js'

/** Streams on one socket, one after another: whoever begins anew more often has broken numbers. */
const legsMax = 64

export class JsonStream implements Dialect {
  readonly #platform: StreamPlatform
  readonly #keys: ReturnType<typeof scanKeys>
  readonly #order: ByteOrder | null
  readonly #held = new HeldMessages()
  readonly #warnings = new Warnings()
  #leg: JsonLeg | null = null
  #legs = 0
  #hasEnded = false
  #token: string | null = null

  constructor(platform: StreamPlatform, request: DialectRequest) {
    this.#platform = platform
    this.#keys = scanKeys(platform.sequenceKey, platform.hasTags ? 'tag' : platform.streamKey)
    const order = request.query.get('byte_order')
    this.#order = order === 'little' || order === 'big' ? order : null
  }

  feed(message: Uint8Array, isBinary: boolean): readonly MediaEvent[] {
    if (isBinary) return this.#warnings.once('a binary message is ignored: this platform sends text')
    const fields = this.#platform.isFlat ? null : scanMedia(message, this.#keys)
    if (fields !== null)
      return this.#leg === null
        ? this.#hold(message)
        : this.#place(this.#leg, scanned(this.#leg, message, fields))
    const object = parseJson(textOf(message))
    if (!isObject(object)) return this.#warnings.once('a text is ignored that is not a JSON object')
    return this.#takeObject(message, object)
  }

  closed(isClean: boolean): readonly MediaEvent[] {
    const before = this.#held.isEmpty ? [] : this.#assumeStart()
    return [...before, ...this.#end(isClean ? 'closed' : 'lost', null)]
  }

  #takeObject(message: Uint8Array, object: JsonObject): readonly MediaEvent[] {
    const sequence = wholeNumberAt(object, this.#platform.sequenceKey)
    const event = textAt(object, this.#platform.eventKey)
    if (event === 'start')
      return this.#begin(this.#platform.readStart(object), sequence, textAt(object, 'tag'))
    if (event === 'connected') {
      this.#token = textAt(objectAt(object, 'connected'), 'x-telnyx-streaming-auth-token')
      return []
    }
    const leg = this.#leg
    if (leg === null) return this.#hold(message)
    if (event === 'media') {
      const read = this.#readMedia(leg, object)
      return read === null ? this.#warnings.once('a media message without audio') : this.#place(leg, read)
    }
    if (event !== 'stop') leg.hear(sequence)
    switch (event) {
      case 'dtmf':
        return [{ type: 'dtmf', durationMs: wholeNumberAt(objectAt(object, 'dtmf'), 'duration') }]
      case 'mark':
        return [{ type: 'mark', name: (textAt(objectAt(object, 'mark'), 'name') ?? '').slice(0, 128) }]
      case 'stop':
        return leg.closeTag(textAt(object, 'tag')) ? this.#end('stopped', sequence) : []
      case 'error': {
        const payload = objectAt(object, 'payload')
        const shown = `${textAt(payload, 'code')} ${quoted(textAt(payload, 'title') ?? '')}`
        return this.#warnings.once(`the platform reports the error ${shown}`)
      }
      default:
        return []
    }
  }

  // --- streams ----------------------------------------------------------------------------------------------------

  #begin(start: StreamStart, sequence: number | null, tag: string | null): readonly MediaEvent[] {
    const running = this.#leg
    if (running !== null && this.#platform.hasTags && tag !== null && running.openTag(tag)) {
      const { events } = running.track(tag)
      return events
    }
    if (this.#legs >= legsMax) return [tooManyLegs]
    this.#legs++
    this.#hasEnded = false
    const leg = new JsonLeg({
      platform: this.#platform,
      start,
      tag,
      token: this.#token,
      order: this.#order,
      sequence,
    })
    this.#leg = leg
    return [...leg.startEvents(), ...this.#release()]
  }

  #hold(message: Uint8Array): readonly MediaEvent[] {
    if (this.#hasEnded) return this.#warnings.once('a message after the end of its stream is ignored')
    return this.#held.add(message, false) ? [] : this.#assumeStart()
  }

  #release(): readonly MediaEvent[] {
    return this.#held.take().flatMap(({ message }) => this.feed(message, false))
  }

  /** A proxy may have eaten the start: the audio is kept, and says whose stream it is. */
  #assumeStart(): readonly MediaEvent[] {
    const messages = this.#held.take()
    const first = messages.map(({ message }) => parseJson(textOf(message))).find(isObject) ?? {}
    const start: StreamStart = {
      call: null,
      leg: textAt(first, this.#platform.streamKey),
      tracks: [],
      encoding: null,
      rate: undefined,
      channels: undefined,
      said: {},
    }
    return [
      ...this.#warnings.once('audio came without a start; its format is assumed'),
      ...this.#begin(start, null, textAt(first, 'tag')),
      ...messages.flatMap(({ message }) => this.feed(message, false)),
    ]
  }

  #end(why: 'stopped' | 'closed' | 'lost', sequence: number | null): readonly MediaEvent[] {
    const leg = this.#leg
    if (leg === null) return []
    this.#leg = null
    this.#hasEnded = true
    return [{ type: 'stop', why, totals: leg.totals(sequence) }]
  }

  // --- audio ------------------------------------------------------------------------------------------------------

  #place(leg: JsonLeg, media: MediaMessage): readonly MediaEvent[] {
    if (media.stream !== null && !leg.isOwn(media.stream))
      return this.#warnings.once('audio of another stream on the same socket is ignored')
    const events = leg.place(media)
    if (events !== null) return events
    if (this.#legs >= legsMax) return [tooManyLegs]
    this.#legs++
    const next = leg.again()
    this.#leg = next
    return [
      { type: 'warning', why: 'the numbers begin anew: another stream begins' },
      ...next.startEvents(),
      ...(next.place(media) ?? []),
    ]
  }

  #readMedia(leg: JsonLeg, object: JsonObject): MediaMessage | null {
    const media = isObject(object['media']) ? object['media'] : object
    const payload = media['payload']
    if (typeof payload !== 'string') return null
    const track = this.#platform.hasTags ? textAt(object, 'tag') : textAt(media, 'track')
    const stream = this.#platform.hasTags ? null : textAt(object, this.#platform.streamKey)
    return {
      track: track ?? leg.usualTrack,
      stream: stream === null ? null : Buffer.from(stream),
      sequence: wholeNumberAt(object, this.#platform.sequenceKey),
      chunk: wholeNumberAt(media, 'chunk'),
      timestamp: wholeNumberAt(media, 'timestamp'),
      payload: Buffer.from(payload, 'latin1'),
    }
  }
}

const tooManyLegs: MediaEvent = {
  type: 'refuse',
  closeCode: 1008,
  why: `more than ${legsMax} streams on one socket`,
}

function scanned(leg: JsonLeg, message: Uint8Array, fields: Readonly<MediaFields>): MediaMessage {
  const { sequence, chunk, timestamp, trackFirst, trackEnd, streamFirst, streamEnd } = fields
  const isTag = leg.hasTags
  const track = isTag
    ? leg.nameAt(message, streamFirst, streamEnd)
    : leg.nameAt(message, trackFirst, trackEnd)
  return {
    track,
    // Made for strangers only: a view costs more than the comparison.
    stream:
      isTag || streamFirst < 0 || leg.isOwn(message, streamFirst, streamEnd)
        ? null
        : message.subarray(streamFirst, streamEnd),
    sequence: sequence < 0 ? null : sequence,
    chunk: chunk < 0 ? null : chunk,
    timestamp: timestamp < 0 ? null : timestamp,
    payload: message.subarray(fields.payloadFirst, fields.payloadEnd),
  }
}
