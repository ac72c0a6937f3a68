/** The recording of a call as WAV, after its grace period. */
import { performance } from 'node:perf_hooks'
import type { CallMachineSnapshot } from '../../actors/call-machine.js'
import type { CallLife } from '../../actors/call-messages.js'
import type { CallRegistry } from '../../actors/call-registry.js'
import { packetPages } from '../../actors/packet-pages.js'
import { AudioError, isAudioEncoding } from '../../audio/audio-format.js'
import { CallAudio, type PagesFrom } from '../../audio/call-audio.js'
import { VoiceStreamError } from '../../errors.js'
import { limits } from '../../limits.js'
import { type CallId, decodeCallId } from '../../protocol/call-id.js'
import { type Media, mediaOf } from '../../protocol/media.js'
import { TrackNumber } from '../../protocol/packet.js'
import { integerOf } from '../../protocol/query.js'
import type { CallReader } from '../../store/journal.js'
import { type Exchange, privateHeaders } from '../exchange.js'
import type { Route } from '../routes.js'
import { readRange } from './byte-range.js'
import { known, unknownCall } from './known-call.js'

/** One media type for all that a player may ask for. */
const wavType = 'audio/wav'

interface RecordedCall {
  readonly isReceiving: boolean
  readonly createdAt: number
  readonly track: number
  readonly media: Media
  readonly expectedTotal: number | null
}

export function recordingRoute(registry: CallRegistry, reader: CallReader): Route {
  const recordings = new Recordings(registry, reader)
  return {
    method: 'GET',
    path: '/v1/call/{call_id}/audio.wav',
    access: 'supervisor',
    answerBytesMax: limits.pageBytesMax,
    tag: 'calls',
    summary: 'A call as a WAV file',
    description:
      'Missing packets are silence of their length. Supports a `Range` of bytes. Available after the grace period, because late packets would shift the audio behind them.',
    query: [{ name: 'track', schema: { ...TrackNumber, default: 0 } }],
    answers: {
      200: { description: 'The whole file.', mediaType: wavType },
      206: { description: 'The requested part.', mediaType: wavType },
      404: { description: 'Unknown call, or one without audio.' },
      409: { description: 'The call is still receiving.' },
      416: { description: 'The range begins after the end.' },
    },
    answer: (exchange) => recordings.answer(exchange),
  }
}

class Recordings {
  readonly #registry: CallRegistry
  readonly #reader: CallReader
  /** By call and the time of its creation: another call may come to the same id. The one used last stands last. */
  readonly #kept = new Map<string, CallAudio>()
  #reading = 0

  constructor(registry: CallRegistry, reader: CallReader) {
    this.#registry = registry
    this.#reader = reader
  }

  async answer(exchange: Exchange): Promise<void> {
    const callId = decodeCallId(exchange.segment)
    const track = integerOf(exchange.query('track'), 'track', 0, limits.tracksMax - 1, 0)
    const call = known(await this.#registry.read(callId, (state) => recorded(state, track)), callId)
    if (!isAudioEncoding(call.media.encoding)) throw noAudio(callId, call.media)
    if (call.isReceiving)
      throw new VoiceStreamError(
        'still_receiving',
        `call ${callId} may still receive packets; ask again when it has ended`,
      )
    if (this.#reading >= limits.recordingsReadMax)
      throw new VoiceStreamError('overloaded', 'too many recordings are being read')
    this.#reading++
    try {
      await this.#send(exchange, callId, call)
    } finally {
      this.#reading--
    }
  }

  async #send(exchange: Exchange, callId: CallId, call: RecordedCall): Promise<void> {
    const pages = this.#pagesOf(exchange, { callId, createdAt: call.createdAt }, call.track)
    const audio = await this.#audioOf(callId, call, pages)
    const { bytes } = audio
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
    await exchange.stream(status, wavType, headers, last - first + 1, audio.read(pages, first, last))
  }

  async #audioOf(callId: CallId, call: RecordedCall, pages: PagesFrom): Promise<CallAudio> {
    const key = `${call.createdAt} ${call.track} ${callId}`
    const kept = this.#kept.get(key) ?? (await openAudio(callId, call, pages))
    this.#kept.delete(key)
    this.#kept.set(key, kept)
    const [oldest] = this.#kept.keys()
    if (this.#kept.size > limits.recordingsKeptMax && oldest !== undefined) this.#kept.delete(oldest)
    return kept
  }

  /** A page at a time; each is progress, because hours of packets take longer than an answer may. */
  #pagesOf(exchange: Exchange, life: CallLife, track: number): PagesFrom {
    const registry = this.#registry
    const reader = { packets: this.#readerFor(exchange) }
    return async function* (first) {
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
    }
  }

  /** A page is held until the listener has taken it: none is read without room for it. */
  #readerFor(exchange: Exchange): CallReader['packets'] {
    return async (...asked) => {
      await exchange.room(limits.pageBytesMax)
      const page = await this.#reader.packets(...asked)
      if (!exchange.isEnded) return page
      page.release()
      // What ended early would be taken for the whole call, and kept.
      throw new VoiceStreamError('timed_out', 'the client has gone')
    }
  }
}

function recorded(state: CallMachineSnapshot, track: number): RecordedCall {
  const { createdAt, details, logs } = state.context
  return {
    isReceiving: state.hasTag('receiving'),
    createdAt,
    track,
    media: mediaOf(details, track),
    expectedTotal: logs.of(track)?.expectedTotal ?? null,
  }
}

function noAudio(callId: CallId, { encoding, codec }: Media): VoiceStreamError {
  const carried =
    encoding === 'text' ? 'text, not audio' : `${codec ?? 'another codec'}, which is not decoded`
  return new VoiceStreamError('no_audio', `call ${callId} carries ${carried}`)
}

async function openAudio(callId: CallId, call: RecordedCall, pages: PagesFrom): Promise<CallAudio> {
  const { media, expectedTotal } = call
  const { encoding, sample_rate: sampleRate, channels } = media
  if (!isAudioEncoding(encoding)) throw noAudio(callId, media)
  try {
    return await CallAudio.open(pages, { encoding, sampleRate, channels }, expectedTotal)
  } catch (error) {
    if (error instanceof AudioError) throw new VoiceStreamError('no_audio', error.message)
    throw error
  }
}
