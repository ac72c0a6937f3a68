/**
 * A call that goes on, listened to: a WAV file without an end, some seconds behind what is stored. Each listener reads the
 * packets of its call by itself, a little at a time, so neither the call nor its sender knows of him (V11).
 */
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import type { CallRegistry } from '../../actors/call-registry.js'
import { type AudioFormat, frameBytesOf } from '../../audio/audio-format.js'
import { LiveVoice, liveSlackMs, mixed } from '../../audio/live-voice.js'
import { samplesIn } from '../../audio/packet-audio.js'
import { openWavHeader } from '../../audio/wav-file.js'
import type { Credential } from '../../config/credentials.js'
import { VoiceStreamError } from '../../errors.js'
import { limits } from '../../limits.js'
import type { Log } from '../../log.js'
import type { CallId } from '../../protocol/call-id.js'
import type { CallReader } from '../../store/journal.js'
import { type Exchange, privateHeaders } from '../exchange.js'
import {
  assertAudio,
  formatOf,
  type RecordedCall,
  type RecordedTrack,
  recordedCall,
} from './recorded-call.js'

export const liveBehindSeconds = { default: 2, min: 1, max: 30 }

export interface ListeningPorts {
  readonly registry: CallRegistry
  readonly reader: CallReader
  readonly log: Log
  isDraining(): boolean
  isRevoked(credential: Credential): boolean
}

interface Listener {
  readonly exchange: Exchange
  readonly callId: CallId
  readonly createdAt: number
  /** Null: all that sound when he comes. */
  readonly track: number | null
  /** Of each voice, its track. */
  readonly tracks: readonly number[]
  readonly voices: readonly LiveVoice[]
  readonly format: AudioFormat
  /** That its voices hold at most. */
  readonly samples: number
}

/** Between two looks at what is stored, which is also how much is sent at once. */
const tickMs = 200
/** The voices of a tick that was late; after more than that the listener misses some of it. */
const lateMsMax = 2000

export class Listening {
  readonly #ports: ListeningPorts
  readonly #listeners = new Set<Listener>()

  constructor(ports: ListeningPorts) {
    this.#ports = ports
  }

  get count(): number {
    return this.#listeners.size
  }

  get #samples(): number {
    let sum = 0
    for (const { samples } of this.#listeners) sum += samples
    return sum
  }

  /** Names of the credentials that listen to the call, each once; '' where the service has no credentials. */
  listenersOf(callId: string): readonly string[] {
    const names = new Set<string>()
    for (const { exchange, callId: heard } of this.#listeners)
      if (heard === callId) names.add(exchange.credential?.name ?? '')
    return [...names].sort()
  }

  async answer(exchange: Exchange, callId: CallId, call: RecordedCall, terms: LiveTerms): Promise<void> {
    assertAudio(callId, call)
    if (call.isOver)
      throw new VoiceStreamError('not_live', `call ${callId} is over; ask for the recording without "live"`)
    const behindMs = terms.behindSeconds * 1000 - tickMs
    const formats = call.tracks.map(({ media }) => formatOf(callId, media))
    const format: AudioFormat = {
      encoding: 'pcm_s16le',
      sampleRate: Math.max(...formats.map(({ sampleRate }) => sampleRate)),
      channels: formats.reduce((sum, { channels }) => sum + channels, 0),
    }
    const voices = await Promise.all(
      call.tracks.map(async (track, index) => {
        const own = formats[index] as AudioFormat
        const next = await this.#firstHeard(callId, track, own, behindMs)
        return new LiveVoice(own, { targetRate: format.sampleRate, behindMs, next })
      }),
    )
    const tracks = call.tracks.map(({ track }) => track)
    const { createdAt } = call
    const { track } = terms
    const samples = format.sampleRate * format.channels * ((behindMs + liveSlackMs) / 1000)
    await this.#listen({ exchange, callId, createdAt, track, tracks, voices, format, samples })
  }

  async #listen(listener: Listener): Promise<void> {
    const { exchange, callId, samples } = listener
    const { log } = this.#ports
    if (this.#samples + samples > limits.liveSamplesMax)
      throw new VoiceStreamError('overloaded', 'too many live calls are listened to')
    const startedAt = performance.now()
    const who = {
      call_id: callId,
      ...(exchange.credential === null ? {} : { credential: exchange.credential.name }),
    }
    exchange.hold(limits.shortAnswerBytesMax)
    this.#listeners.add(listener)
    log.info(who, 'a live call is listened to')
    try {
      await exchange.flow(
        '200 OK',
        'audio/wav',
        privateHeaders,
        this.#parts(listener),
        limits.listenerUntakenMsMax,
      )
    } finally {
      this.#listeners.delete(listener)
      const seconds = Math.round((performance.now() - startedAt) / 1000)
      log.info({ ...who, seconds }, 'a live call is listened to no more')
    }
  }

  /** Where a listener who is so far behind begins: a voice that has been silent for as long begins with what comes. */
  async #firstHeard(
    callId: CallId,
    { track, highestSequence }: RecordedTrack,
    format: AudioFormat,
    behindMs: number,
  ): Promise<number> {
    if (highestSequence === null) return 0
    const page = await this.#ports.reader.packets(callId, highestSequence, 1, track)
    try {
      const [packet] = page.packets
      const samples = packet === undefined ? null : samplesIn(packet, format)
      if (packet === undefined || samples === null || samples.length === 0) return highestSequence + 1
      const ageMs = Math.max(0, Date.now() - packet.receivedAt)
      const packetMs = ((samples.length / frameBytesOf(format)) * 1000) / format.sampleRate
      return Math.max(0, highestSequence + 1 - Math.max(0, Math.round((behindMs - ageMs) / packetMs)))
    } finally {
      page.release()
    }
  }

  async *#parts(listener: Listener): AsyncGenerator<Uint8Array> {
    const { voices, format } = listener
    yield openWavHeader(format)
    let given = performance.now()
    for (;;) {
      const progress = await this.#readMore(listener)
      if (progress === 'ended') return
      const { isLast, isRead } = progress
      const now = performance.now()
      given = Math.max(given, now - lateMsMax)
      const frames = Math.floor(((now - given) * format.sampleRate) / 1000)
      given += (frames * 1000) / format.sampleRate
      yield mixed(voices, frames, now, isLast)
      if (isLast && isRead && voices.every(({ bufferedMs }) => bufferedMs === 0)) return
      if (this.#isCutOff(listener.exchange)) return
      await delay(tickMs - ((performance.now() - now) % tickMs))
    }
  }

  #isCutOff({ credential }: Exchange): boolean {
    return this.#ports.isDraining() || (credential !== null && this.#ports.isRevoked(credential))
  }

  /**
   * `ended`: the call was erased, or another voice has joined it. That one has no channel in a file that has begun: who asks
   * again hears it.
   */
  async #readMore({ callId, createdAt, track, tracks, voices }: Listener): Promise<Progress | 'ended'> {
    const { registry, reader } = this.#ports
    const { mark } = registry
    const call = await registry.read(callId, (state) => recordedCall(state, track))
    if (call === null || call.createdAt !== createdAt) return 'ended'
    if (call.tracks.some((each) => !tracks.includes(each.track))) return 'ended'
    const { isOver: isLast } = call
    let isRead = true
    for (const [index, voice] of voices.entries()) {
      const highest = call.tracks.find((each) => each.track === tracks[index])?.highestSequence ?? -1
      if (highest < voice.next) continue
      const page = await reader.packets(callId, voice.next, limits.livePacketsMax, tracks[index])
      try {
        // Another call may have come to its name.
        if (registry.wasErasedSince(callId, mark)) return 'ended'
        voice.add(page.packets, performance.now(), isLast)
      } finally {
        page.release()
      }
      isRead &&= voice.next > highest
    }
    return { isLast, isRead }
  }
}

interface Progress {
  /** No packet will come any more, but late ones. */
  readonly isLast: boolean
  /** All that was stored is with the voices. */
  readonly isRead: boolean
}

export interface LiveTerms {
  readonly track: number | null
  readonly behindSeconds: number
}
