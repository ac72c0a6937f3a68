/** Builds WAV files, right and wrong ones, for the tests of the simulated PBX. */

export interface FormatFields {
  readonly code: number
  readonly channels: number
  readonly sampleRate: number
  readonly sampleBits: number
  readonly frameBytes?: number
  /** Appended to the 16 bytes that every format chunk has. */
  readonly extension?: Buffer
}

export const muLaw: FormatFields = { code: 7, channels: 1, sampleRate: 8000, sampleBits: 8 }

export function chunk(id: string, body: Buffer, size = body.length): Buffer {
  const header = Buffer.alloc(8)
  header.write(id, 'latin1')
  header.writeUInt32LE(size, 4)
  return Buffer.concat([header, body, Buffer.alloc(body.length % 2)])
}

export function formatChunk(fields: FormatFields): Buffer {
  const body = Buffer.alloc(16)
  const frameBytes = fields.frameBytes ?? (fields.channels * fields.sampleBits) / 8
  body.writeUInt16LE(fields.code, 0)
  body.writeUInt16LE(fields.channels, 2)
  body.writeUInt32LE(fields.sampleRate, 4)
  body.writeUInt32LE(fields.sampleRate * frameBytes, 8)
  body.writeUInt16LE(frameBytes, 12)
  body.writeUInt16LE(fields.sampleBits, 14)
  return chunk('fmt ', Buffer.concat([body, fields.extension ?? Buffer.alloc(0)]))
}

/** The extension of WAVE_FORMAT_EXTENSIBLE for a format code. */
export function extensibleExtension(code: number, guidTail = '000000001000800000aa00389b71'): Buffer {
  const extension = Buffer.alloc(24)
  extension.writeUInt16LE(22, 0)
  extension.writeUInt16LE(16, 2)
  extension.writeUInt16LE(code, 8)
  extension.write(guidTail, 10, 'hex')
  return extension
}

export function riff(...chunks: Buffer[]): Buffer {
  const body = Buffer.concat([Buffer.from('WAVE'), ...chunks])
  return chunk('RIFF', body)
}

/** Mu-law audio of so many 20 ms packets, each with other bytes. */
export function speechOf(packetCount: number): Buffer {
  return Buffer.from(
    Array.from({ length: packetCount * 160 }, (_, index) => (index * 7 + (index >> 8)) & 0xff),
  )
}
