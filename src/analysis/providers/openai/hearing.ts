/**
 * Speech to text of one call: each channel in pieces, each piece a step that is kept. A piece that the server refuses costs
 * its own words alone, and its call the findings; a retry by hand asks for what is not kept.
 */
import { AudioError, type AudioFormat } from '../../../audio/audio-format.js'
import { measureAudio, packetAudio } from '../../../audio/packet-audio.js'
import { coverageOf, type SpeechPiece, speechPieces } from '../../../audio/speech-pieces.js'
import { limits } from '../../../limits.js'
import type { Transcript, TranscriptSegment, UnheardPart } from '../../../protocol/analysis.js'
import { type AnalysisRequest, type AnalysisTrack, ProviderRejected } from '../../provider.js'
import { redactedTranscript } from '../../redaction.js'
import { readTextCall, voicesOf } from '../../transcript.js'
import type { ProviderAnswer, ProviderMessage } from './connection.js'
import { assertSucceeded, refusedParameter } from './failure.js'
import { type HeardSegment, readTranscription } from './heard.js'
import { HeardSoFar } from './heard-so-far.js'
import { formatOf, type HeardTrack, joined, seconds, share, shifted, startOf } from './heard-tracks.js'
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

/** A channel of a track, and the channel of the transcript that it is heard as. */
interface Voice {
  readonly track: number
  readonly channel: number
  readonly heardAs: number
}

/** Pieces that are refused one after the other: the next one would be, too. */
const refusalsInRowMax = 3

export class Hearing {
  readonly #options: HearingOptions
  readonly #ports: HearingPorts
  readonly #soFar: HeardSoFar
  /** Of the track that is being heard. */
  #unheard: UnheardPart[] = []
  #startsAt = 0
  #refusal: ProviderRejected | null = null
  #refusalsInRow = 0
  #wasHeard = true

  constructor(options: HearingOptions, ports: HearingPorts) {
    this.#options = options
    this.#ports = ports
    this.#soFar = new HeardSoFar(ports.request.redact)
  }

  /** Why the server takes parts of the call in no attempt; null where it took all. */
  get refusal(): ProviderRejected | null {
    return this.#refusal
  }

  async transcript(): Promise<Transcript> {
    return redactedTranscript(await this.#allHeard(), this.#ports.request.redact)
  }

  async #allHeard(): Promise<Transcript> {
    const { tracks } = this.#ports.request
    if (tracks.every(({ media }) => media.encoding === 'text')) return readTextCall(tracks)
    try {
      const heard: HeardTrack[] = []
      for (const track of tracks) heard.push(await this.#hearTrack(track, heard))
      return joined(heard, voicesOf(tracks))
    } catch (error) {
      // What the packets hold does not change by trying again.
      if (error instanceof AudioError) throw new ProviderRejected(`the call is not audio: ${error.message}`)
      throw error
    }
  }

  async #hearTrack(track: AnalysisTrack, before: readonly HeardTrack[]): Promise<HeardTrack> {
    const format = formatOf(track)
    const measure = await measureAudio(track.packetPages(), format, track.expectedTotal)
    const startsAt = await startOf(track, measure.framesPerPacket / format.sampleRate)
    const length = { targetMs: this.#options.pieceTargetMs, slackMs: limits.pieceSlackMs }
    const firstChannel = before.reduce((sum, { channels }) => sum + channels, 0)
    const segments: TranscriptSegment[] = []
    let characters = before.at(-1)?.characters ?? 0
    let count = before.reduce((sum, heard) => sum + heard.segments.length, 0)
    let missingFrames = 0
    this.#unheard = []
    this.#startsAt = startsAt
    for (let channel = 0; channel < format.channels; channel++) {
      this.#wasHeard = true
      const voice = { track: track.track, channel, heardAs: firstChannel + channel }
      const audio = packetAudio(track.packetPages(), format, measure)
      for await (const piece of speechPieces(audio, format, channel, length)) {
        missingFrames += piece.missing.reduce((sum, { first, last }) => sum + last - first + 1, 0)
        // A transcript that is full is not asked for more: it would be paid for and cut off.
        const isFull =
          count >= limits.transcriptSegmentsMax || characters >= limits.transcriptionCharactersMax
        if (piece.isSilent || isFull) continue
        const heard = await this.#hearIfTaken(piece, format, voice)
        for (const { text } of heard) characters += text.length
        count += heard.length
        segments.push(...heard)
      }
    }
    return {
      segments,
      unheard: this.#unheard,
      startsAt,
      channels: format.channels,
      characters,
      seconds: (measure.frames * format.channels) / format.sampleRate,
      missingSeconds: missingFrames / format.sampleRate,
    }
  }

  /** Nothing of a piece that is refused, or that is not kept where nobody may be asked. */
  async #hearIfTaken(
    piece: SpeechPiece,
    format: AudioFormat,
    voice: Voice,
  ): Promise<readonly TranscriptSegment[]> {
    try {
      const heard = await this.#hearPiece(piece, format, voice)
      this.#refusalsInRow = 0
      this.#wasHeard = true
      return heard
    } catch (error) {
      if (!(error instanceof NotKept || error instanceof ProviderRejected)) throw error
      if (error instanceof ProviderRejected) {
        this.#refusal ??= error
        if (++this.#refusalsInRow === refusalsInRowMax) throw error
      }
      this.#leaveOut(piece, format, voice)
      return []
    }
  }

  /** Parts with nothing but silence between them are one. */
  #leaveOut(
    { firstFrame, frames }: SpeechPiece,
    { sampleRate }: AudioFormat,
    { heardAs: channel }: Voice,
  ): void {
    const end = seconds((firstFrame + frames) / sampleRate)
    const last = this.#wasHeard ? undefined : this.#unheard.at(-1)
    if (last === undefined) this.#unheard.push({ channel, start: seconds(firstFrame / sampleRate), end })
    else last.end = end
    this.#wasHeard = false
  }

  async #hearPiece(
    piece: SpeechPiece,
    { encoding, sampleRate, channels }: AudioFormat,
    { track, channel, heardAs }: Voice,
  ): Promise<TranscriptSegment[]> {
    const sound = `${encoding}/${sampleRate}/${channel + 1}of${channels}`
    const of = track === 0 ? '' : `track${track}/`
    const key = `piece/${of}${sound}/${piece.firstFrame}+${piece.frames}`
    const heard = await this.#step(key, piece, sampleRate)
    return heard.map((segment) => {
      const { text, confidence, start, end, redactions } = shifted(segment, piece.firstFrame / sampleRate)
      const first = piece.firstFrame + Math.min(piece.frames - 1, Math.floor(segment.start * sampleRate))
      const last = Math.max(first, piece.firstFrame + Math.ceil(segment.end * sampleRate) - 1)
      return {
        start,
        end,
        channel: heardAs,
        text,
        confidence,
        coverage: share(coverageOf(piece.missing, first, last)),
        ...(redactions === undefined ? {} : { redactions }),
      }
    })
  }

  /** Kept without what is masked. */
  async #step(key: string, piece: SpeechPiece, sampleRate: number): Promise<readonly HeardSegment[]> {
    const { count } = this.#soFar
    const from = this.#startsAt + piece.firstFrame / sampleRate
    const heard = await this.#ports.ledger.step(key, async () =>
      this.#soFar.masked(await this.#transcribe(piece, sampleRate, key), from, count),
    )
    this.#soFar.put(heard, from, count)
    return heard
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
      for (const segment of await this.#step(`${key}/${half.firstFrame}`, half, sampleRate))
        heard.push(shifted(segment, offset))
    }
    return heard
  }
}
