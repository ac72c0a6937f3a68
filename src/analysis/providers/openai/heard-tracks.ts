/** The tracks of a call, heard one by one, and put together on one line of time. Pure, but for the first packet of each. */
import { AudioError, type AudioFormat, isAudioEncoding } from '../../../audio/audio-format.js'
import { limits } from '../../../limits.js'
import type { Redaction, Transcript, TranscriptSegment, UnheardPart } from '../../../protocol/analysis.js'
import type { AnalysisTrack } from '../../provider.js'

export interface HeardTrack {
  readonly segments: readonly TranscriptSegment[]
  /** Parts that the server has refused. */
  readonly unheard: readonly UnheardPart[]
  /** Seconds, the sender's clock, of its first frame. */
  readonly startsAt: number
  readonly channels: number
  /** Of all tracks up to this one. */
  readonly characters: number
  /** Of all its channels. */
  readonly seconds: number
  readonly missingSeconds: number
}

export function formatOf({ media: { encoding, codec, sample_rate, channels } }: AnalysisTrack): AudioFormat {
  if (!isAudioEncoding(encoding)) throw new AudioError(`${codec ?? encoding} is not decoded`)
  return { encoding, sampleRate: sample_rate, channels }
}

/** Numbers that were lost before the first packet are part of it. */
export async function startOf({ packetPages }: AnalysisTrack, packetSeconds: number): Promise<number> {
  for await (const [first] of packetPages())
    if (first !== undefined) return first.timestamp - first.sequence * packetSeconds
  return Number.POSITIVE_INFINITY
}

/** All tracks on one line of time, which begins with the first of them. */
export function joined(heard: readonly HeardTrack[], voices: Pick<Transcript, 'voices'>): Transcript {
  const startedAt = Math.min(...heard.map((track) => track.startsAt))
  const offsetOf = ({ startsAt }: HeardTrack) =>
    heard.length > 1 && Number.isFinite(startsAt) ? startsAt - startedAt : 0
  const segments = heard.flatMap((track) =>
    track.segments.map((segment) => shifted(segment, offsetOf(track))),
  )
  const unheard = heard.flatMap((track) => track.unheard.map((part) => shifted(part, offsetOf(track))))
  segments.sort((a, b) => a.start - b.start || a.channel - b.channel)
  const all = heard.reduce((sum, track) => sum + track.seconds, 0)
  const missing = heard.reduce((sum, track) => sum + track.missingSeconds, 0)
  return {
    coverage: all === 0 ? 1 : share(1 - missing / all),
    segments: segments.slice(0, limits.transcriptSegmentsMax),
    ...(unheard.length === 0 ? {} : { unheard: unheard.slice(0, limits.transcriptSegmentsMax) }),
    ...voices,
  }
}

interface Timed {
  readonly start: number
  readonly end: number
  readonly redactions?: Redaction[]
}

/** With its masks, in whole milliseconds. */
export function shifted<Part extends Timed>(part: Part, offset: number): Part {
  const { redactions } = part
  return {
    ...part,
    start: seconds(part.start + offset),
    end: seconds(part.end + offset),
    ...(redactions === undefined ? {} : { redactions: redactions.map((one) => shifted(one, offset)) }),
  }
}

export function seconds(value: number): number {
  return Math.round(value * 1000) / 1000
}

/** Down, so that a single lost frame never looks like none. */
export function share(value: number): number {
  return Math.floor(value * 10_000) / 10_000
}
