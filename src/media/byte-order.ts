/**
 * In which order the two bytes of linear samples come. In the wrong order the noise of the low bytes becomes the signal, near
 * full scale and white, so neighbours differ by far more than those of speech. Silence and a few loud tones leave it open.
 */
export type ByteOrder = 'little' | 'big'

/** How much rougher the wrong order must be, in power: 12 dB. */
const roughness = 16
const samplesMin = 40

export function byteOrderOf(bytes: Uint8Array): ByteOrder | null {
  const samples = bytes.length >> 1
  if (samples < samplesMin) return null
  let little = 0
  let big = 0
  for (let at = 2; at + 1 < bytes.length; at += 2) {
    little += squaredStep(bytes, at, 0)
    big += squaredStep(bytes, at, 1)
  }
  if (big > little * roughness) return 'little'
  return little > big * roughness ? 'big' : null
}

/** `low` is the place of the low byte in a sample. */
function squaredStep(bytes: Uint8Array, at: number, low: 0 | 1): number {
  const step = sampleAt(bytes, at, low) - sampleAt(bytes, at - 2, low)
  return step * step
}

function sampleAt(bytes: Uint8Array, at: number, low: 0 | 1): number {
  return ((((bytes[at + 1 - low] as number) << 8) | (bytes[at + low] as number)) << 16) >> 16
}
