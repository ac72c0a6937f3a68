/**
 * Speech to text of one call: each channel in pieces, each piece a step that is kept. A piece that the server refuses costs
 * its own words alone, and its call the findings; a retry by hand asks for what is not kept.
 */
import { AudioError, type AudioFormat } from '../../../audio/audio-format.js'
import { type AudioMeasure, measureAudio, packetAudio } from '../../../audio/packet-audio.js'
import { coverageOf, type SpeechPiece, speechPieces } from '../../../audio/speech-pieces.js'
import { limits } from '../../../limits.js'
import type { Transcript, TranscriptSegment, UnheardPart } from '../../../protocol/analysis.js'
import { type AnalysisRequest, ProviderRejected } from '../../provider.js'
import { readTextCall } from '../../transcript.js'
import type { ProviderAnswer, ProviderMessage } from './connection.js'
import { assertSucceeded, refusedParameter } from './failure.js'
import { type HeardSegment, readTranscription } from './heard.js'
import { type Ledger, NotKept } from './ledger.js'
import { spareParameters, transcriptionMessage } from './transcription.js'

export interface HearingOptions {
  readonly transcriptionModel: string
  readonly language: string
  readonly pieceTargetMs: number
}

export interface HearingPorts {
  readonly request: AnalysisRequest
  readonly ledger: Ledger
  /** Parameters that the server has refused; those that it refuses now are added. */
  readonly without: Set<string>
  post(message: ProviderMessage, audioSeconds: number): Promise<ProviderAnswer>
}

/** Pieces that are refused one after the other: the next one would be, too. */
const refusalsInRowMax = 3

export class Hearing {
  readonly #options: HearingOptions
  readonly #ports: HearingPorts
  readonly #unheard: UnheardPart[] = []
  #refusal: ProviderRejected | null = null
  #refusalsInRow = 0
  #wasHeard = true

  constructor(options: HearingOptions, ports: HearingPorts) {
    this.#options = options
    this.#ports = ports
  }

  /** Why the server takes parts of the call in no attempt; null where it took all. */
  get refusal(): ProviderRejected | null {
    return this.#refusal
  }

  async transcript(): Promise<Transcript> {
    const { media, packetPages, expectedTotal } = this.#ports.request
    if (media.encoding === 'text') return readTextCall(packetPages(), expectedTotal)
    const format: AudioFormat = {
      encoding: media.encoding,
      sampleRate: media.sample_rate,
      channels: media.channels,
    }
    try {
      const measure = await measureAudio(packetPages(), format, expectedTotal)
      return await this.#hear(format, measure)
    } catch (error) {
      // What the packets hold does not change by trying again.
      if (error instanceof AudioError) throw new ProviderRejected(`the call is not audio: ${error.message}`)
      throw error
    }
  }

  async #hear(format: AudioFormat, measure: AudioMeasure): Promise<Transcript> {
    const length = { targetMs: this.#options.pieceTargetMs, slackMs: limits.pieceSlackMs }
    const segments: TranscriptSegment[] = []
    let characters = 0
    let missingFrames = 0
    for (let channel = 0; channel < format.channels; channel++) {
      this.#wasHeard = true
      const audio = packetAudio(this.#ports.request.packetPages(), format, measure)
      for await (const piece of speechPieces(audio, format, channel, length)) {
        missingFrames += piece.missing.reduce((sum, { first, last }) => sum + last - first + 1, 0)
        // A transcript that is full is not asked for more: it would be paid for and cut off.
        const isFull =
          segments.length >= limits.transcriptSegmentsMax || characters >= limits.transcriptionCharactersMax
        if (piece.isSilent || isFull) continue
        const heard = await this.#hearIfTaken(piece, format, channel)
        for (const { text } of heard) characters += text.length
        segments.push(...heard)
      }
    }
    segments.sort((a, b) => a.start - b.start || a.channel - b.channel)
    const frames = measure.frames * format.channels
    const coverage = frames === 0 ? 1 : share(1 - missingFrames / frames)
    const unheard = this.#unheard.slice(0, limits.transcriptSegmentsMax)
    const told = segments.slice(0, limits.transcriptSegmentsMax)
    return { coverage, segments: told, ...(unheard.length === 0 ? {} : { unheard }) }
  }

  /** Nothing of a piece that is refused, or that is not kept where nobody may be asked. */
  async #hearIfTaken(
    piece: SpeechPiece,
    format: AudioFormat,
    channel: number,
  ): Promise<readonly TranscriptSegment[]> {
    try {
      const heard = await this.#hearPiece(piece, format, channel)
      this.#refusalsInRow = 0
      this.#wasHeard = true
      return heard
    } catch (error) {
      if (!(error instanceof NotKept || error instanceof ProviderRejected)) throw error
      if (error instanceof ProviderRejected) {
        this.#refusal ??= error
        if (++this.#refusalsInRow === refusalsInRowMax) throw error
      }
      this.#leaveOut(piece, format, channel)
      return []
    }
  }

  /** Parts with nothing but silence between them are one. */
  #leaveOut({ firstFrame, frames }: SpeechPiece, { sampleRate }: AudioFormat, channel: number): void {
    const end = seconds((firstFrame + frames) / sampleRate)
    const last = this.#wasHeard ? undefined : this.#unheard.at(-1)
    if (last === undefined) this.#unheard.push({ channel, start: seconds(firstFrame / sampleRate), end })
    else last.end = end
    this.#wasHeard = false
  }

  async #hearPiece(
    piece: SpeechPiece,
    { encoding, sampleRate, channels }: AudioFormat,
    channel: number,
  ): Promise<TranscriptSegment[]> {
    const sound = `${encoding}/${sampleRate}/${channel + 1}of${channels}`
    const key = `piece/${sound}/${piece.firstFrame}+${piece.frames}`
    const heard = await this.#ports.ledger.step(key, () => this.#transcribe(piece, sampleRate, key))
    return heard.map((segment) => {
      const first = piece.firstFrame + Math.min(piece.frames - 1, Math.floor(segment.start * sampleRate))
      const last = Math.max(first, piece.firstFrame + Math.ceil(segment.end * sampleRate) - 1)
      return {
        start: seconds(piece.firstFrame / sampleRate + segment.start),
        end: seconds(piece.firstFrame / sampleRate + segment.end),
        channel,
        text: segment.text,
        confidence: segment.confidence,
        coverage: share(coverageOf(piece.missing, first, last)),
      }
    })
  }

  async #transcribe(piece: SpeechPiece, sampleRate: number, key: string): Promise<readonly HeardSegment[]> {
    const duration = piece.frames / sampleRate
    const idempotencyKey = `${this.#ports.request.idempotencyKey}:${key}`
    const answer = await this.#postPiece(piece, sampleRate, idempotencyKey)
    if (answer.status === 413 && duration * 1000 >= 2 * limits.pieceMsMin)
      return this.#transcribeHalves(piece, sampleRate, key)
    assertSucceeded(answer, 'transcription')
    return readTranscription(answer, duration)
  }

  /** Once more without each parameter that the server does not take. */
  async #postPiece(piece: SpeechPiece, sampleRate: number, idempotencyKey: string): Promise<ProviderAnswer> {
    const { without } = this.#ports
    const { transcriptionModel: model, language } = this.#options
    for (;;) {
      const suffix = without.size === 0 ? '' : `:without:${[...without].join(':')}`
      const options = { model, language, without }
      const message = transcriptionMessage(piece, sampleRate, options, `${idempotencyKey}${suffix}`)
      const answer = await this.#ports.post(message, piece.frames / sampleRate)
      const spare = spareParameters.filter((name) => !without.has(name))
      const refused = refusedParameter(answer, spare)
      if (refused === null) return answer
      without.add(refused)
    }
  }

  async #transcribeHalves(
    piece: SpeechPiece,
    sampleRate: number,
    key: string,
  ): Promise<readonly HeardSegment[]> {
    const middle = Math.floor(piece.frames / 2)
    const part = (first: number, end: number): SpeechPiece => ({
      ...piece,
      firstFrame: piece.firstFrame + first,
      frames: end - first,
      samples: piece.samples.subarray(first * 2, end * 2),
    })
    const heard: HeardSegment[] = []
    for (const half of [part(0, middle), part(middle, piece.frames)]) {
      const offset = (half.firstFrame - piece.firstFrame) / sampleRate
      const halfKey = `${key}/${half.firstFrame}`
      const step = () => this.#transcribe(half, sampleRate, halfKey)
      for (const segment of await this.#ports.ledger.step(halfKey, step))
        heard.push({ ...segment, start: segment.start + offset, end: segment.end + offset })
    }
    return heard
  }
}

function seconds(value: number): number {
  return Math.round(value * 1000) / 1000
}

/** Down, so that a single lost frame never looks like none. */
function share(value: number): number {
  return Math.floor(value * 10_000) / 10_000
}
