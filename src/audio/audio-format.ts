/** The words of audio: how samples are coded, and what silence looks like in each code. */

/** G.711 in its two laws, one byte a sample, and linear samples of 16 bits. */
export type AudioEncoding = 'mulaw' | 'alaw' | 'pcm_s16le'
export const audioEncodings: readonly AudioEncoding[] = ['mulaw', 'alaw', 'pcm_s16le']

export function isAudioEncoding(encoding: string): encoding is AudioEncoding {
  return audioEncodings.some((known) => known === encoding)
}

export interface AudioFormat {
  readonly encoding: AudioEncoding
  /** Frames a second; a frame has one sample for each channel. */
  readonly sampleRate: number
  readonly channels: number
}

/** What is not the audio that it is said to be. The message names the place, and never the content. */
export class AudioError extends Error {
  override readonly name = 'AudioError'
}

export function frameBytesOf({ encoding, channels }: AudioFormat): number {
  return channels * (encoding === 'pcm_s16le' ? 2 : 1)
}

/** Every byte of silence. The smallest level of either law is sent inverted (ITU-T G.711, tables 1a and 2a). */
export function silenceByteOf(encoding: AudioEncoding): number {
  switch (encoding) {
    case 'mulaw':
      return 0xff
    case 'alaw':
      return 0xd5
    case 'pcm_s16le':
      return 0
  }
}
