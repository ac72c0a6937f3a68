/** What platforms call codecs, as the encodings of packets. */
import type { Media } from '../protocol/media.js'
import { wholeNumber } from './json-text.js'

export const muLaw8k: Media = { encoding: 'mulaw', sample_rate: 8000, channels: 1 }
export const linear8k: Media = { encoding: 'pcm_s16le', sample_rate: 8000, channels: 1 }

export interface Codec {
  readonly media: Media
  /** The name of a codec that is not decoded: its bytes are kept, not played and not transcribed. */
  readonly foreignName: string | null
  readonly warning: string | null
}

/** Between those names is what `audio/x-`, parameters and a rate behind an `@` leave. */
const encodings: ReadonlyMap<string, Media['encoding']> = new Map([
  ...['mulaw', 'ulaw', 'mu-law', 'pcmu', 'g711u', 'g711_ulaw'].map((name) => [name, 'mulaw'] as const),
  ...['alaw', 'a-law', 'pcma', 'g711a', 'g711_alaw'].map((name) => [name, 'alaw'] as const),
  ...['l16', 'pcm16', 'pcm', 'lpcm', 'raw', 'linear16', 'slin', 'private-pcm-16', 'pcm_s16le'].map(
    (name) => [name, 'pcm_s16le'] as const,
  ),
])

const rateMin = 4000
const rateMax = 192_000
const channelsMax = 8

/** Names like `audio/x-mulaw`, `PCMU`, `audio/l16;rate=16000` and `L16@24000h`. What is not said is as `usual`. */
export function codecOf(name: string | null, rate: unknown, channels: unknown, usual: Media): Codec {
  const said = name?.toLowerCase().replace(/^audio\//, '') ?? ''
  const [bare = ''] = said.replace(/^x-/, '').split(/[;@ ]/)
  const foreignName = name === null || encodings.has(bare) ? null : bare
  const encoding = name === null ? usual.encoding : (encodings.get(bare) ?? 'other')
  const saidRate = wholeNumber(rate) ?? wholeNumber(/(?:rate=|@)(\d+)/.exec(said)?.[1])
  const saidChannels = wholeNumber(channels) ?? wholeNumber(/channels=(\d+)/.exec(said)?.[1])
  const sampleRate = isWithin(saidRate, rateMin, rateMax) ? saidRate : usual.sample_rate
  const channelCount = isWithin(saidChannels, 1, channelsMax) ? saidChannels : usual.channels
  const isOdd =
    (saidRate !== null && saidRate !== sampleRate) || (saidChannels !== null && saidChannels !== channelCount)
  return {
    media: {
      encoding,
      ...(foreignName === null ? {} : { codec: codecName(foreignName) }),
      sample_rate: sampleRate,
      channels: channelCount,
    },
    foreignName,
    warning: isOdd
      ? `a rate of ${saidRate} Hz with ${saidChannels ?? 1} channels is not possible; ${sampleRate} Hz with ${channelCount} is assumed`
      : null,
  }
}

/** As packets may call it. */
function codecName(name: string): string {
  return name.replace(/[^a-z0-9._-]/g, '_').slice(0, 32) || 'unknown'
}

function isWithin(value: number | null, least: number, most: number): value is number {
  return value !== null && least <= value && value <= most
}

/** Of one sample of each channel; null where the bytes are not samples. */
export function frameBytesOf({ encoding, channels }: Media): number | null {
  if (encoding === 'text' || encoding === 'other') return null
  return channels * (encoding === 'pcm_s16le' ? 2 : 1)
}

/** No packet of the grid is longer than this, whatever rate and channels are said: base64 of it fits a packet's data. */
const packetBytesMax = 16 * 1024

/** Of a packet on the grid of unnumbered audio; null where the bytes are not samples: then each message is a packet. */
export function packetBytesOf(media: Media, packetMs: number): number | null {
  const frameBytes = frameBytesOf(media)
  if (frameBytes === null) return null
  const frames = Math.floor((media.sample_rate * packetMs) / 1000)
  return Math.min(frames, Math.floor(packetBytesMax / frameBytes)) * frameBytes
}

export function durationMsOf(media: Media, bytes: number): number | null {
  const frameBytes = frameBytesOf(media)
  return frameBytes === null ? null : (bytes / frameBytes / media.sample_rate) * 1000
}
