/** The recording of a call as WAV, after its grace period. */
import { performance } from 'node:perf_hooks'
import Type from 'typebox'
import type { CallLife } from '../../actors/call-messages.js'
import type { CallRegistry } from '../../actors/call-registry.js'
import { packetPages } from '../../actors/packet-pages.js'
import { AudioError, type AudioFormat } from '../../audio/audio-format.js'
import { CallAudio, type PagesFrom } from '../../audio/call-audio.js'
import { maskedBytes } from '../../audio/masked-audio.js'
import { VoicesAudio, type VoiceTrack } from '../../audio/voices-audio.js'
import { wavHeader } from '../../audio/wav-file.js'
import { VoiceStreamError } from '../../errors.js'
import { limits } from '../../limits.js'
import { type CallId, decodeCallId } from '../../protocol/call-id.js'
import { TrackNumber } from '../../protocol/packet.js'
import { integerOf, oneOf } from '../../protocol/query.js'
import type { CallReader } from '../../store/journal.js'
import { type Exchange, privateHeaders } from '../exchange.js'
import type { Route } from '../routes.js'
import { readRange } from './byte-range.js'
import { known, unknownCall } from './known-call.js'
import { type Listening, liveBehindSeconds } from './listening.js'
import {
  assertAudio,
  formatOf,
  type RecordedCall,
  type RecordedTrack,
  recordedCall,
} from './recorded-call.js'
import { type Masking, maskings, type RecordingMasks } from './recording-masks.js'

/** One media type for all that a player may ask for. */
const wavType = 'audio/wav'

/** A file of which any part can be read, of one track or of all. */
interface Recording {
  readonly bytes: number
  readonly frames: number
  readonly format: AudioFormat
  /** Seconds from the start of the file. */
  startOf(index: number): number
  read(pages: readonly PagesFrom[], first: number, last: number): AsyncGenerator<Buffer>
}

export interface RecordingPorts {
  readonly registry: CallRegistry
  readonly reader: CallReader
  readonly listening: Listening
  readonly masks: RecordingMasks
}

export function recordingRoute(ports: RecordingPorts): Route {
  const recordings = new Recordings(ports)
  return {
    method: 'GET',
    path: '/v1/call/{call_id}/audio.wav',
    access: 'supervisor',
    answerBytesMax: limits.pageBytesMax,
    tag: 'calls',
    summary: 'A call as a WAV file',
    description:
      'Missing packets are silence of their length. A call of several tracks has a channel for each voice, on one line of time by the senders’ clocks; `track` gives one of them. Supports a `Range` of bytes. Available after the grace period, because late packets would shift the audio behind them. With `live=true` a call in progress is heard while it goes on, in a file whose sizes are open; the file ends when the call is over, or when another voice joins it.',
    query: [
      { name: 'track', schema: { ...TrackNumber, description: 'Without it, all tracks.' } },
      {
        name: 'redact',
        schema: Type.Union(
          maskings.map((masking) => Type.Literal(masking)),
          {
            description:
              'What is heard in the place of what is masked. With REDACT the default is `beep`, and `none` is for administrators; else `none`.',
          },
        ),
      },
      {
        name: 'live',
        schema: Type.Boolean({ description: 'What arrives, as 16-bit PCM until the call is over.' }),
      },
      {
        name: 'behind',
        schema: Type.Integer({
          minimum: liveBehindSeconds.min,
          maximum: liveBehindSeconds.max,
          default: liveBehindSeconds.default,
          description: 'Of a live call: how many seconds before now it is heard.',
        }),
      },
    ],
    answers: {
      200: { description: 'The whole file.', mediaType: wavType },
      206: { description: 'The requested part.', mediaType: wavType },
      403: { description: 'With REDACT: an administrator may hear this.' },
      404: { description: 'Unknown call, or one without audio.' },
      409: {
        description:
          'The call is still receiving; with `live`, it is over; with REDACT, what is to be masked is not known.',
      },
      416: { description: 'The range begins after the end.' },
    },
    answer: (exchange) => recordings.answer(exchange),
  }
}

class Recordings {
  readonly #registry: CallRegistry
  readonly #reader: CallReader
  readonly #listening: Listening
  readonly #masks: RecordingMasks
  /** By call and the time of its creation: another call may come to the same id. The one used last stands last. */
  readonly #kept = new Map<string, Recording>()
  #reading = 0

  constructor({ registry, reader, listening, masks }: RecordingPorts) {
    this.#registry = registry
    this.#reader = reader
    this.#listening = listening
    this.#masks = masks
  }

  async answer(exchange: Exchange): Promise<void> {
    const callId = decodeCallId(exchange.segment)
    const asked = exchange.query('track')
    const track = asked === undefined ? null : integerOf(asked, 'track', 0, limits.tracksMax - 1, 0)
    const call = known(await this.#registry.read(callId, (state) => recordedCall(state, track)), callId)
    if (oneOf(exchange.query('live'), 'live', ['true', 'false'], 'false') === 'true') {
      this.#masks.assertUnmasked(exchange, callId)
      const { min, max, default: usual } = liveBehindSeconds
      const behindSeconds = integerOf(exchange.query('behind'), 'behind', min, max, usual)
      return this.#listening.answer(exchange, callId, call, { track, behindSeconds })
    }
    assertAudio(callId, call)
    if (call.isReceiving)
      throw new VoiceStreamError(
        'still_receiving',
        `call ${callId} may still receive packets; ask again when it has ended`,
      )
    const masking = this.#masks.asked(exchange, callId)
    if (this.#reading >= limits.recordingsReadMax)
      throw new VoiceStreamError('overloaded', 'too many recordings are being read')
    this.#reading++
    try {
      await this.#send(exchange, callId, call, masking)
    } finally {
      this.#reading--
    }
  }

  async #send(exchange: Exchange, callId: CallId, call: RecordedCall, masking: Masking): Promise<void> {
    const pages = this.#pagesOf(exchange, { callId, createdAt: call.createdAt }, call.tracks)
    const audio = await this.#audioOf(callId, call, pages)
    const { bytes } = audio
    const read = await this.#maskedReading(exchange, callId, call, audio, masking)
    // RFC 9110 §14.2: a range is for GET alone.
    const range = exchange.isHead ? null : readRange(exchange.head.range, bytes)
    if (range === 'unsatisfiable')
      return exchange.problem(new VoiceStreamError('range_not_satisfiable', `the file has ${bytes} bytes`), [
        ['Content-Range', `bytes */${bytes}`],
      ])
    const { first, last } = range ?? { first: 0, last: bytes - 1 }
    const headers: [string, string][] = [
      ...privateHeaders.map(([name, value]): [string, string] => [name, value]),
    ]
    headers.push(['Accept-Ranges', 'bytes'])
    if (range !== null) headers.push(['Content-Range', `bytes ${first}-${last}/${bytes}`])
    const status = range === null ? '200 OK' : '206 Partial Content'
    await exchange.stream(status, wavType, headers, last - first + 1, read(pages, first, last))
  }

  async #maskedReading(
    exchange: Exchange,
    callId: CallId,
    call: RecordedCall,
    audio: Recording,
    masking: Masking,
  ): Promise<Recording['read']> {
    if (masking === 'none') return (...range) => audio.read(...range)
    const { format, frames } = audio
    const { sampleRate } = format
    const offset = await this.#offsetOf(exchange, callId, call)
    const parts = await this.#masks.partsOf(exchange, callId, { frames, sampleRate, offset })
    const headerBytes = wavHeader(format, frames).length
    const file = { format, headerBytes, parts, cover: masking }
    return (pages, first, last) => maskedBytes(audio.read(pages, first, last), first, file)
  }

  /** Seconds from the start of the call, which its transcript counts from, to that of the file: one track may begin later. */
  async #offsetOf(exchange: Exchange, callId: CallId, call: RecordedCall): Promise<number> {
    const [own] = call.tracks
    const whole = await this.#registry.read(callId, (state) => recordedCall(state, null))
    if (whole === null) throw unknownCall(callId)
    const index = whole.tracks.findIndex(({ track }) => track === own?.track)
    if (call.tracks.length > 1 || whole.tracks.length === 1 || index < 0) return 0
    const pages = this.#pagesOf(exchange, { callId, createdAt: whole.createdAt }, whole.tracks)
    return (await this.#audioOf(callId, whole, pages)).startOf(index)
  }

  async #audioOf(callId: CallId, call: RecordedCall, pages: readonly PagesFrom[]): Promise<Recording> {
    const tracks = call.tracks.map(({ track }) => track).join(',')
    const key = `${call.createdAt} ${tracks} ${callId}`
    const kept = this.#kept.get(key) ?? (await this.#open(callId, call, pages))
    this.#kept.delete(key)
    this.#kept.set(key, kept)
    const [oldest] = this.#kept.keys()
    if (this.#kept.size > limits.recordingsKeptMax && oldest !== undefined) this.#kept.delete(oldest)
    return kept
  }

  async #open(callId: CallId, { tracks }: RecordedCall, pages: readonly PagesFrom[]): Promise<Recording> {
    const [first, ...others] = tracks
    const formats = tracks.map(({ media }) => formatOf(callId, media))
    try {
      if (first !== undefined && others.length === 0) {
        const [own, format] = [pages[0] as PagesFrom, formats[0] as AudioFormat]
        const audio = await CallAudio.open(own, format, first.expectedTotal)
        const { bytes, frames } = audio
        const read: Recording['read'] = ([from = own], ...range) => audio.read(from, ...range)
        return { bytes, frames, format, startOf: () => 0, read }
      }
      const voices: VoiceTrack[] = []
      for (const [index, { track, expectedTotal }] of tracks.entries())
        voices.push({
          pages: pages[index] as PagesFrom,
          format: formats[index] as AudioFormat,
          expectedTotal,
          first: await this.#firstOf(callId, track),
        })
      return await VoicesAudio.open(voices)
    } catch (error) {
      if (error instanceof AudioError) throw new VoiceStreamError('no_audio', error.message)
      throw error
    }
  }

  async #firstOf(callId: CallId, track: number): Promise<VoiceTrack['first']> {
    const page = await this.#reader.packets(callId, 0, 1, track)
    const [packet] = page.packets
    const first = packet === undefined ? null : { sequence: packet.sequence, timestamp: packet.timestamp }
    page.release()
    return first
  }

  /** A page at a time of each track; each is progress, because hours of packets take longer than an answer may. */
  #pagesOf(exchange: Exchange, life: CallLife, tracks: readonly RecordedTrack[]): PagesFrom[] {
    const registry = this.#registry
    const reader = { packets: this.#readerFor(exchange, tracks.length) }
    return tracks.map(
      ({ track }) =>
        async function* (first) {
          for await (const page of packetPages(
            reader,
            registry,
            life.callId,
            first,
            limits.packetsPageMax,
            track,
          )) {
            // A listener may take minutes: the call may be erased, and another one come to its name.
            if (!(await registry.isThere(life))) throw unknownCall(life.callId)
            exchange.progressAt = performance.now()
            yield page
          }
        },
    )
  }

  /** A page of each track is held until the listener has taken it: none is read without room for all. */
  #readerFor(exchange: Exchange, tracks: number): CallReader['packets'] {
    return async (...asked) => {
      await exchange.room(tracks * limits.pageBytesMax)
      const page = await this.#reader.packets(...asked)
      if (!exchange.isEnded) return page
      page.release()
      // A file that ended early would be taken for the whole call, and kept.
      throw new VoiceStreamError('timed_out', 'the client has gone')
    }
  }
}
