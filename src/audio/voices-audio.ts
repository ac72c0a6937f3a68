/**
 * A call of several tracks as one WAV file: a channel for each voice, the tracks one after the other, on one line of time. What a
 * track has not heard is silence, before its first packet and after its last one too. Any part can be read, and nothing
 * larger than a page of packets of each track is held.
 */
import { AudioError, type AudioFormat, frameBytesOf, silenceByteOf } from './audio-format.js'
import { CallAudio, type PagesFrom } from './call-audio.js'
import { type G711Law, toLinear } from './g711.js'
import { wavHeader, wavPadding } from './wav-file.js'

export interface VoiceTrack {
  readonly pages: PagesFrom
  readonly format: AudioFormat
  readonly expectedTotal: number | null
  /** Of its first packet, by the sender's clock in seconds; null where it has none. */
  readonly first: { readonly sequence: number; readonly timestamp: number } | null
}

interface Placed {
  readonly audio: CallAudio
  /** Frames of the file, at its rate. */
  readonly offset: number
  readonly frames: number
}

const framesAtOnce = 4096
/** Clocks that are further apart are not of one call: then the tracks begin together. */
const offsetSecondsMax = 86_400

export class VoicesAudio {
  readonly #tracks: readonly Placed[]
  readonly #format: AudioFormat
  readonly #header: Buffer
  readonly #dataBytes: number

  private constructor(tracks: readonly Placed[], format: AudioFormat) {
    const frames = Math.max(...tracks.map((track) => track.offset + track.frames))
    this.#tracks = tracks
    this.#format = format
    this.#header = wavHeader(format, frames)
    this.#dataBytes = frames * frameBytesOf(format)
  }

  /** Reads each track once. Throws an `AudioError` when one is not audio of its format, or all are longer than a WAV file can be. */
  static async open(tracks: readonly VoiceTrack[]): Promise<VoicesAudio> {
    if (tracks.length === 0) throw new AudioError('the call has no track of audio')
    const audios: CallAudio[] = []
    for (const { pages, format, expectedTotal } of tracks)
      audios.push(await CallAudio.open(pages, format, expectedTotal))
    const format = commonFormat(audios.map((audio) => audio.format))
    const starts = audios.map((audio, index) => startOf(audio, tracks[index]?.first ?? null))
    const begin = Math.min(...starts)
    const placed = audios.map((audio, index): Placed => {
      const seconds = (starts[index] ?? begin) - begin
      const isNear = Number.isFinite(seconds) && seconds <= offsetSecondsMax
      const { sampleRate } = format
      return {
        audio,
        offset: isNear ? Math.round(seconds * sampleRate) : 0,
        frames: Math.floor((audio.frames * sampleRate) / audio.format.sampleRate),
      }
    })
    return new VoicesAudio(placed, format)
  }

  get format(): AudioFormat {
    return this.#format
  }

  /** Seconds from the start of the file to that of a track, in the order in which they were opened. */
  startOf(index: number): number {
    return (this.#tracks[index]?.offset ?? 0) / this.#format.sampleRate
  }

  get frames(): number {
    return this.#dataBytes / frameBytesOf(this.#format)
  }

  /** All samples, without header and padding. */
  async *readFrames(pages: readonly PagesFrom[]): AsyncGenerator<Buffer> {
    for await (const { samples } of this.#mixed(pages, 0, this.frames)) yield samples
  }

  /** Of the whole file. */
  get bytes(): number {
    return this.#header.length + this.#dataBytes + wavPadding(this.#dataBytes).length
  }

  /** The bytes `first` to `last` of the file, inclusive. `pages`: of each track, in the order in which they were opened. */
  async *read(pages: readonly PagesFrom[], first: number, last: number): AsyncGenerator<Buffer> {
    const headerBytes = this.#header.length
    if (first < headerBytes) yield this.#header.subarray(first, last + 1)
    const frameBytes = frameBytesOf(this.#format)
    const dataFirst = Math.max(0, first - headerBytes)
    const dataEnd = Math.min(this.#dataBytes, last + 1 - headerBytes)
    const begin = Math.floor(dataFirst / frameBytes)
    if (dataFirst < dataEnd)
      for await (const { frame, samples } of this.#mixed(pages, begin, Math.ceil(dataEnd / frameBytes))) {
        const at = frame * frameBytes
        const from = Math.max(0, dataFirst - at)
        const to = Math.min(samples.length, dataEnd - at)
        if (from < to) yield samples.subarray(from, to)
      }
    const paddingAt = headerBytes + this.#dataBytes
    if (last >= paddingAt) yield wavPadding(this.#dataBytes).subarray(Math.max(0, first - paddingAt))
  }

  async *#mixed(
    pages: readonly PagesFrom[],
    begin: number,
    end: number,
  ): AsyncGenerator<{ readonly frame: number; readonly samples: Buffer }> {
    const readings = this.#tracks.map(
      (track, index) => new TrackReading(track, this.#format, pages[index] as PagesFrom, begin),
    )
    try {
      for (let frame = begin; frame < end; frame += framesAtOnce) {
        const frames = Math.min(framesAtOnce, end - frame)
        const samples = Buffer.allocUnsafe(frames * frameBytesOf(this.#format))
        let channel = 0
        for (const reading of readings) {
          reading.interleave(await reading.take(frames), samples, channel)
          channel += reading.channels
        }
        yield { frame, samples }
      }
    } finally {
      for (const reading of readings) await reading.end()
    }
  }
}

/** Numbers that were lost before the first packet are part of the track. */
function startOf({ framesPerPacket, format }: CallAudio, first: VoiceTrack['first']): number {
  if (first === null) return Number.POSITIVE_INFINITY
  return first.timestamp - (first.sequence * framesPerPacket) / format.sampleRate
}

/** The code of all, where they have one; the highest rate. */
function commonFormat(formats: readonly AudioFormat[]): AudioFormat {
  const [first] = formats
  const isOne = formats.every(({ encoding }) => encoding === first?.encoding)
  return {
    encoding: isOne && first !== undefined ? first.encoding : 'pcm_s16le',
    sampleRate: Math.max(...formats.map(({ sampleRate }) => sampleRate)),
    channels: formats.reduce((sum, { channels }) => sum + channels, 0),
  }
}

/** One track from a frame of the file on: silence, its own frames, silence. */
class TrackReading {
  readonly #track: Placed
  readonly #target: AudioFormat
  readonly #source: AsyncGenerator<Buffer>
  /** The next frame of the file. */
  #frame: number
  /** Frames of the track that are read, from `#restFirst` on. */
  #rest: Buffer = Buffer.alloc(0)
  #restFirst: number

  constructor(track: Placed, target: AudioFormat, pages: PagesFrom, frame: number) {
    this.#track = track
    this.#target = target
    this.#frame = frame
    const own = Math.min(Math.max(frame - track.offset, 0), track.frames)
    this.#restFirst = this.#sourceFrame(own)
    this.#source = track.audio.readFrames(pages, this.#restFirst, track.audio.frames)
  }

  get channels(): number {
    return this.#track.audio.format.channels
  }

  /** So many frames in the target's code, its own channels. */
  async take(frames: number): Promise<Buffer> {
    const { encoding } = this.#target
    const bytes = this.channels * (encoding === 'pcm_s16le' ? 2 : 1)
    const taken = Buffer.alloc(frames * bytes, silenceByteOf(encoding))
    const { offset, frames: length } = this.#track
    const first = Math.min(Math.max(this.#frame - offset, 0), length)
    const end = Math.min(Math.max(this.#frame + frames - offset, 0), length)
    if (first < end) {
      const samples = await this.#readOwn(first, end)
      samples.copy(taken, (first + offset - this.#frame) * bytes)
    }
    this.#frame += frames
    return taken
  }

  async #readOwn(first: number, end: number): Promise<Buffer> {
    const { format } = this.#track.audio
    const frameBytes = frameBytesOf(format)
    const sourceFirst = this.#sourceFrame(first)
    const sourceEnd = this.#sourceFrame(end - 1) + 1
    await this.#readUntil(sourceEnd)
    const from = sourceFirst - this.#restFirst
    const read = this.#rest.subarray(from * frameBytes, (sourceEnd - this.#restFirst) * frameBytes)
    // At another rate a frame may be needed again.
    const kept = this.#sourceFrame(end)
    this.#rest = this.#rest.subarray(Math.min((kept - this.#restFirst) * frameBytes, this.#rest.length))
    this.#restFirst = kept
    const samples = format.sampleRate === this.#target.sampleRate ? read : this.#stretched(read, first, end)
    return format.encoding === this.#target.encoding ? samples : toLinear(format.encoding as G711Law, samples)
  }

  async #readUntil(sourceEnd: number): Promise<void> {
    const frameBytes = frameBytesOf(this.#track.audio.format)
    const parts = [this.#rest]
    let missing = (sourceEnd - this.#restFirst) * frameBytes - this.#rest.length
    while (missing > 0) {
      const next = await this.#source.next()
      if (next.done === true) throw new AudioError('the call changed while it was read')
      // What is read is void once the next page is asked for.
      parts.push(Buffer.from(next.value))
      missing -= next.value.length
    }
    if (parts.length > 1) this.#rest = Buffer.concat(parts)
  }

  /** Each frame is repeated until the next one is due: louder harmonics, and no sample that was not there. */
  #stretched(read: Buffer, first: number, end: number): Buffer {
    const frameBytes = frameBytesOf(this.#track.audio.format)
    const begin = this.#sourceFrame(first)
    const stretched = Buffer.allocUnsafe((end - first) * frameBytes)
    for (let frame = first; frame < end; frame++) {
      const at = (this.#sourceFrame(frame) - begin) * frameBytes
      read.copy(stretched, (frame - first) * frameBytes, at, at + frameBytes)
    }
    return stretched
  }

  /** The frame of the track that a frame of the file, counted from its offset, is. */
  #sourceFrame(frame: number): number {
    return Math.floor((frame * this.#track.audio.format.sampleRate) / this.#target.sampleRate)
  }

  /** Puts its channels between those of the others. */
  interleave(own: Buffer, samples: Buffer, channel: number): void {
    const { channels, encoding } = this.#target
    const isLinear = encoding === 'pcm_s16le'
    const sampleBytes = isLinear ? 2 : 1
    const ownBytes = this.channels * sampleBytes
    const frameBytes = channels * sampleBytes
    for (let at = 0, to = channel * sampleBytes; at < own.length; at += ownBytes, to += frameBytes)
      for (let byte = 0; byte < ownBytes; byte++) samples[to + byte] = own[at + byte] as number
  }

  async end(): Promise<void> {
    await this.#source.return(undefined)
  }
}
