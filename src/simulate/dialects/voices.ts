/** The audio of a file as the voices of a call, and their packets in the codec that a platform sends. Pure. */
import { decodeG711, encodeG711 } from '../../audio/g711.js'
import type { WavAudio } from '../../audio/wav-file.js'

/** Linear samples of 16 bits. */
export type Voice = Int16Array

export type SentEncoding = 'mulaw' | 'pcm_s16le'

/**
 * Two voices: the first two channels of the file. Of a file with one, the second voice is the first from its middle on and round, so that
 * they are not the same.
 */
export function voicesOf(audio: WavAudio): readonly [Voice, Voice] {
  const first = channelOf(audio, 0)
  if (audio.channels > 1) return [first, channelOf(audio, 1)]
  const middle = first.length >> 1
  const second = new Int16Array(first.length)
  second.set(first.subarray(middle))
  second.set(first.subarray(0, middle), first.length - middle)
  return [first, second]
}

function channelOf({ encoding, channels, frames, frameBytes }: WavAudio, channel: number): Voice {
  const voice = new Int16Array(frames.length / frameBytes)
  const sampleBytes = frameBytes / channels
  for (let frame = 0; frame < voice.length; frame++) {
    const at = frame * frameBytes + channel * sampleBytes
    if (encoding === 'pcm_s16le') voice[frame] = frames.readInt16LE(at)
    else if (encoding === 'pcm_u8') voice[frame] = (frames.readUInt8(at) - 128) << 8
    else voice[frame] = decodeG711(encoding, frames.readUInt8(at))
  }
  return voice
}

interface Cut {
  readonly voices: readonly Voice[]
  readonly sampleRate: number
  readonly encoding: SentEncoding
  readonly packetMs: number
}

/** What was cut last, by the first voice: the calls of a run all send the same packets. */
const lastCuts = new WeakMap<
  Voice,
  Map<string, { readonly request: Cut; readonly packets: readonly Buffer[] }>
>()

/** Packets of `packetMs`, the voices of one interleaved; the last one may be shorter. */
export function packetsOf(request: Cut): readonly Buffer[] {
  const { voices, sampleRate, encoding, packetMs } = request
  const [first] = voices
  if (first === undefined) return []
  const cuts = lastCuts.get(first) ?? new Map()
  const key = [sampleRate, encoding, packetMs, voices.length].join()
  const known = cuts.get(key)
  if (known?.request.voices.every((voice: Voice, place: number) => voice === voices[place]))
    return known.packets
  const packets = cutPackets(request)
  lastCuts.set(first, cuts.set(key, { request, packets }))
  return packets
}

function cutPackets(request: Cut): Buffer[] {
  const { voices, sampleRate, encoding, packetMs } = request
  const count = Math.min(...voices.map(({ length }) => length))
  const firstOf = (packet: number) => Math.floor((packet * sampleRate * packetMs) / 1000)
  const packets: Buffer[] = []
  for (let first = 0; first < count; ) {
    const end = Math.min(count, Math.max(first + 1, firstOf(packets.length + 1)))
    packets.push(encoded(voices, encoding, first, end))
    first = end
  }
  return packets
}

function encoded(voices: readonly Voice[], encoding: SentEncoding, first: number, end: number): Buffer {
  const sampleBytes = encoding === 'mulaw' ? 1 : 2
  const bytes = Buffer.allocUnsafe((end - first) * voices.length * sampleBytes)
  let at = 0
  for (let frame = first; frame < end; frame++)
    for (const voice of voices) {
      const level = voice[frame] ?? 0
      at =
        encoding === 'mulaw'
          ? bytes.writeUInt8(encodeG711('mulaw', level), at)
          : bytes.writeInt16LE(level, at)
    }
  return bytes
}
