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

/** What the service is told of a call's packets, as JSON; null where its contract has no word for it (PCM of 8 bits). */
export function startBodyOf({ encoding, sampleRate, channels }: WavAudio): string | null {
  const isKnown =
    encoding !== 'pcm_u8' &&
    sampleRate >= sampleRateMin &&
    sampleRate <= sampleRateMax &&
    channels <= channelsMax
  return isKnown ? JSON.stringify({ media: { encoding, sample_rate: sampleRate, channels } }) : null
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
export function cutPackets(audio: WavAudio): AudioPacket[] {
  const frameCount = audio.frames.length / audio.frameBytes
  const firstFrameOf = (sequence: number) => Math.floor((sequence * audio.sampleRate * packetMs) / 1000)
  const packets: AudioPacket[] = []
  for (let sequence = 0, first = 0; first < frameCount; sequence++) {
    const end = Math.min(frameCount, Math.max(first + 1, firstFrameOf(sequence + 1)))
    packets.push(
      createPacket(sequence, audio.frames.subarray(first * audio.frameBytes, end * audio.frameBytes)),
    )
    first = end
  }
  return packets
}

function createPacket(sequence: number, samples: Buffer): AudioPacket {
  const data = samples.toString('base64')
  if (data.length > packetDataBytesMax)
    throw new SimulateError(
      'wav',
      `${packetMs} ms of the file are ${data.length} bytes of base64, past the highest allowed ${packetDataBytesMax}`,
    )
  return { sequence, data, bodyHead: `{"sequence":${sequence},"data":"${data}","timestamp":` }
}
