/**
 * Where a session's audio is on its own time line, in samples of each channel. The line moves by the samples that arrive and by what
 * the peer says it has thrown away. Packets are `packetFrames` long on this line; whole ones without any audio are skipped, and a part
 * of one is filled with silence, so that later samples stay where they belong.
 */
import { silenceByteOf } from '../../../audio/audio-format.js'
import type { MediaEvent, SkipReason } from '../../dialect.js'

export interface LineFormat {
  readonly encoding: 'mulaw' | 'pcm_s16le'
  readonly sampleRate: number
  readonly frameBytes: number
  readonly packetFrames: number
}

/** A claim of more than this is a fault of the peer, not a hole: 24 h. */
const holeSecondsMax = 86_400

/** `PT12.5S`, also with minutes and hours; in seconds. Null for anything else. */
export function secondsOf(duration: unknown): number | null {
  if (typeof duration !== 'string') return null
  const parts = /^PT(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:\.\d{1,9})?)S)?$/.exec(duration)
  if (parts === null || duration === 'PT') return null
  const [, hours = '0', minutes = '0', seconds = '0'] = parts
  return Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)
}

export class PositionLine {
  readonly #format: LineFormat
  readonly #first: number
  #bytes = 0

  /** `first`: the position of the opening, in seconds. */
  constructor(format: LineFormat, first: number) {
    this.#format = format
    this.#first = Math.round(first * format.sampleRate)
  }

  get seconds(): number {
    return (this.#first + this.#frames) / this.#format.sampleRate
  }

  /** Packets on the grid so far, the last one perhaps short. */
  get packets(): number {
    return Math.ceil(this.#frames / this.#format.packetFrames)
  }

  receive(bytes: number): void {
    this.#bytes += bytes
  }

  get #frames(): number {
    return this.#bytes / this.#format.frameBytes
  }

  /** To a later position; an earlier one changes nothing. Null for a claim that cannot be. */
  moveTo(seconds: number, why: SkipReason): readonly MediaEvent[] | null {
    const { sampleRate, frameBytes, packetFrames } = this.#format
    if (seconds - this.seconds > holeSecondsMax) return null
    const from = Math.floor(this.#frames)
    const to = Math.round(seconds * sampleRate) - this.#first
    if (to <= from) return []
    const events: MediaEvent[] = []
    const partBefore = Math.min(to, Math.ceil(this.#bytes / frameBytes / packetFrames) * packetFrames) - from
    if (partBefore > 0) events.push(this.#silence(partBefore * frameBytes - (this.#bytes % frameBytes)))
    const packets = Math.floor((to - from - partBefore) / packetFrames)
    if (packets > 0) events.push({ type: 'skipped', track: 0, packets, why })
    const partAfter = to - from - partBefore - packets * packetFrames
    if (partAfter > 0) events.push(this.#silence(partAfter * frameBytes))
    this.#bytes = to * frameBytes
    return events
  }

  #silence(bytes: number): MediaEvent {
    const data = new Uint8Array(bytes).fill(silenceByteOf(this.#format.encoding))
    return { type: 'audio', track: 0, index: null, atMs: null, data, isBase64: false }
  }
}
