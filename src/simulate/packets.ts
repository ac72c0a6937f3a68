/** Cuts audio into packets as a PBX would, and gives each its body for the wire. Pure. */

import type { WavAudio } from '../audio/wav-file.js'
import { SimulateError } from './errors.js'
import { channelsMax, packetDataBytesMax, packetMs, sampleRateMax, sampleRateMin } from './limits.js'

export interface AudioPacket {
  readonly sequence: number
  /** The samples, base64. */
  readonly data: string
  /** The JSON body up to the timestamp, the only part that differs between calls. */
  readonly bodyHead: string
}

/** What the service is told of a call, but its parties; without media where its contract has no word for them (PCM of 8 bits). */
export function startOf(tracks: readonly WavAudio[]): object {
  const [media = null, ...others] = tracks.map(mediaOf)
  if (media === null) return {}
  if (others.length === 0) return { media }
  return { media, tracks: tracks.map((_, track) => ({ track, name: trackName(track) })) }
}

function mediaOf({ encoding, sampleRate, channels }: WavAudio): object | null {
  const isKnown =
    encoding !== 'pcm_u8' &&
    sampleRate >= sampleRateMin &&
    sampleRate <= sampleRateMax &&
    channels <= channelsMax
  return isKnown ? { encoding, sample_rate: sampleRate, channels } : null
}

function trackName(track: number): string {
  return ['inbound', 'outbound'][track] ?? `voice-${track + 1}`
}

/**
 * The file as so many tracks, all of the same length. One is the file as it is. Of several each is a channel; of a file with
 * one channel each begins at another place of it and goes round, so that no two are the same.
 */
export function tracksOf(audio: WavAudio, count: number): readonly WavAudio[] {
  if (count === 1) return [audio]
  if (audio.channels > 1 && audio.channels < count)
    throw new SimulateError('usage', `--tracks ${count}, but the file has ${audio.channels} channels`)
  return Array.from({ length: count }, (_, track) =>
    audio.channels === 1 ? rotated(audio, track / count) : channelOf(audio, track),
  )
}

function rotated(audio: WavAudio, share: number): WavAudio {
  const { frames, frameBytes } = audio
  const at = Math.floor((frames.length / frameBytes) * share) * frameBytes
  return { ...audio, frames: Buffer.concat([frames.subarray(at), frames.subarray(0, at)]) }
}

function channelOf(audio: WavAudio, channel: number): WavAudio {
  const { frames, frameBytes, channels } = audio
  const sampleBytes = frameBytes / channels
  const own = Buffer.allocUnsafe(frames.length / channels)
  for (let at = channel * sampleBytes, to = 0; to < own.length; at += frameBytes, to += sampleBytes)
    frames.copy(own, to, at, at + sampleBytes)
  return { ...audio, channels: 1, frameBytes: sampleBytes, frames: own }
}

/** A call's packets are 20 ms apart, and no two calls share a timestamp of the same sequence. */
export function timestampOf(callStartMs: number, sequence: number): number {
  return (callStartMs + sequence * packetMs) / 1000
}

export function bodyOf(packet: AudioPacket, timestamp: number): string {
  return `${packet.bodyHead}${timestamp}}`
}

/**
 * Packets of 20 ms, in order from sequence 0; the last one may be shorter. Where 20 ms are not whole frames (11,025 Hz)
 * the sizes alternate, so that the packets keep time. Throws `wav` when a packet would exceed the service's bound.
 */
export function cutPackets(audio: WavAudio, track = 0): AudioPacket[] {
  const frameCount = audio.frames.length / audio.frameBytes
  const firstFrameOf = (sequence: number) => Math.floor((sequence * audio.sampleRate * packetMs) / 1000)
  const packets: AudioPacket[] = []
  for (let sequence = 0, first = 0; first < frameCount; sequence++) {
    const end = Math.min(frameCount, Math.max(first + 1, firstFrameOf(sequence + 1)))
    packets.push(
      createPacket(track, sequence, audio.frames.subarray(first * audio.frameBytes, end * audio.frameBytes)),
    )
    first = end
  }
  return packets
}

function createPacket(track: number, sequence: number, samples: Buffer): AudioPacket {
  const data = samples.toString('base64')
  if (data.length > packetDataBytesMax)
    throw new SimulateError(
      'wav',
      `${packetMs} ms of the file are ${data.length} bytes of base64, past the highest allowed ${packetDataBytesMax}`,
    )
  const ofTrack = track === 0 ? '' : `"track":${track},`
  return { sequence, data, bodyHead: `{${ofTrack}"sequence":${sequence},"data":"${data}","timestamp":` }
}
