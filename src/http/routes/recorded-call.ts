/** The tracks of a call that can be heard, and their formats. */
import type { CallMachineSnapshot } from '../../actors/call-machine.js'
import { type AudioFormat, isAudioEncoding } from '../../audio/audio-format.js'
import { VoiceStreamError } from '../../errors.js'
import type { CallId } from '../../protocol/call-id.js'
import { type Media, mediaOf } from '../../protocol/media.js'

export interface RecordedTrack {
  readonly track: number
  readonly media: Media
  readonly expectedTotal: number | null
  readonly highestSequence: number | null
}

export interface RecordedCall {
  readonly isReceiving: boolean
  readonly isOver: boolean
  readonly createdAt: number
  /** Those that were asked for, at least one. */
  readonly tracks: readonly RecordedTrack[]
}

/** Of all tracks those that anything has come to, as audio where there is some; the first one where nothing has come at all. */
export function recordedCall(state: CallMachineSnapshot, asked: number | null): RecordedCall {
  const { createdAt, details, logs } = state.context
  const recordedOf = (track: number): RecordedTrack => ({
    track,
    media: mediaOf(details, track),
    expectedTotal: logs.of(track)?.expectedTotal ?? null,
    highestSequence: logs.of(track)?.highestSequence ?? null,
  })
  const heard = logs
    .all()
    .filter(({ log }) => log.totalReceived > 0)
    .map(({ track }) => recordedOf(track))
  const sounding = heard.filter(({ media }) => isAudioEncoding(media.encoding))
  const all = sounding.length > 0 ? sounding : heard.slice(0, 1)
  return {
    isReceiving: state.hasTag('receiving'),
    isOver: state.value !== 'IN_PROGRESS',
    createdAt,
    tracks: asked === null && all.length > 0 ? all : [recordedOf(asked ?? 0)],
  }
}

export function assertAudio(callId: CallId, { tracks }: RecordedCall): void {
  for (const { media } of tracks) if (!isAudioEncoding(media.encoding)) throw noAudio(callId, media)
}

function noAudio(callId: CallId, { encoding, codec }: Media): VoiceStreamError {
  const carried =
    encoding === 'text' ? 'text, not audio' : `${codec ?? 'another codec'}, which is not decoded`
  return new VoiceStreamError('no_audio', `call ${callId} carries ${carried}`)
}

export function formatOf(callId: CallId, media: Media): AudioFormat {
  const { encoding, sample_rate: sampleRate, channels } = media
  if (!isAudioEncoding(encoding)) throw noAudio(callId, media)
  return { encoding, sampleRate, channels }
}
