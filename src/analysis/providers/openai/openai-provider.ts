/**
 * Any server with the shape of OpenAI's API: speech to text piece by piece and channel by channel, then what it means.
 * Every step is kept when it is done (`Ledger`), so an attempt goes on where the one before it broke off. A call that
 * carries text needs no ears, and silence needs no request at all.
 */
import { hash } from 'node:crypto'
import { AudioError, type AudioFormat } from '../../../audio/audio-format.js'
import { type AudioMeasure, measureAudio, packetAudio } from '../../../audio/packet-audio.js'
import { coverageOf, type SpeechPiece, speechPieces } from '../../../audio/speech-pieces.js'
import { limits } from '../../../limits.js'
import type {
  AnalysisResult,
  HeardWords,
  ProviderRequest,
  Transcript,
  TranscriptSegment,
} from '../../../protocol/analysis.js'
import { type AnalysisProvider, type AnalysisRequest, ProviderRejected } from '../../provider.js'
import { plainText, readTextCall, turnsOf } from '../../transcript.js'
import { bytesOf, type Connection, type ProviderAnswer, type ProviderMessage } from './connection.js'
import { analyseTurns } from './conversation.js'
import { assertSucceeded, refusedParameter } from './failure.js'
import type { Findings } from './findings.js'
import { type HeardSegment, readTranscription } from './heard.js'
import { Ledger, NotKept } from './ledger.js'
import { spareParameters, transcriptionMessage } from './transcription.js'

export interface OpenAiOptions {
  readonly transcriptionModel: string
  readonly chatModel: string
  readonly language: string
  readonly pieceTargetMs: number
}

/** Often the same one; a server that only hears needs another one beside it that reads. */
export interface OpenAiServers {
  readonly transcription: Requests
  readonly chat: Requests
}

type Requests = Pick<Connection, 'post' | 'close'>
type Refused = Readonly<Record<ProviderRequest['what'], Set<string>>>

export class OpenAiProvider implements AnalysisProvider {
  readonly name = 'openai'
  readonly #servers: OpenAiServers
  readonly #options: OpenAiOptions
  /** Parameters that the servers have refused: they would refuse them for the next call, too. */
  readonly #without: Refused = { transcription: new Set(), chat: new Set() }

  constructor(servers: OpenAiServers, options: OpenAiOptions) {
    this.#servers = servers
    this.#options = options
  }

  async analyse(request: AnalysisRequest, signal: AbortSignal): Promise<AnalysisResult> {
    const ledger = await Ledger.open(request.checkpoints, request.attempt)
    const run = new OpenAiRun(this.#servers, this.#options, this.#without, request, ledger, signal)
    return run.result()
  }

  async heard(request: AnalysisRequest): Promise<HeardWords | null> {
    const ledger = await Ledger.open(request.checkpoints, request.attempt, true)
    const { signal } = new AbortController()
    const run = new OpenAiRun(this.#servers, this.#options, this.#without, request, ledger, signal)
    try {
      const transcript = await run.transcript()
      if (transcript.segments.length === 0) return null
      const requests = [...ledger.requests]
      return { transcription: plainText(transcript.segments), transcript, requests }
    } catch (error) {
      if (error instanceof NotKept || error instanceof ProviderRejected) return null
      throw error
    }
  }

  close(): void {
    this.#servers.transcription.close()
    this.#servers.chat.close()
  }
}

/** One attempt at one call. */
class OpenAiRun {
  readonly #servers: OpenAiServers
  readonly #options: OpenAiOptions
  readonly #without: Refused
  readonly #request: AnalysisRequest
  readonly #ledger: Ledger
  readonly #signal: AbortSignal

  constructor(
    servers: OpenAiServers,
    options: OpenAiOptions,
    without: Refused,
    request: AnalysisRequest,
    ledger: Ledger,
    signal: AbortSignal,
  ) {
    this.#servers = servers
    this.#options = options
    this.#without = without
    this.#request = request
    this.#ledger = ledger
    this.#signal = signal
  }

  async result(): Promise<AnalysisResult> {
    const transcript = await this.transcript()
    const { segments } = transcript
    const turns = turnsOf(segments)
    const findings = turns.length === 0 ? null : await this.#findings(turns)
    return {
      transcription: plainText(segments),
      transcript,
      ...(findings === null
        ? // Nobody said anything: there is nothing to be sure of.
          { sentiment: 'neutral' as const, confidence: 0 }
        : {
            sentiment: findings.sentiment,
            // One that is not told is none to rely on.
            confidence: findings.confidence ?? 0,
            ...(findings.score === null ? {} : { score: findings.score }),
            turns: findings.turns.flatMap(({ turn, sentiment, score }) => {
              const of = turns[turn]
              return of === undefined ? [] : [{ ...of.segments, sentiment, score }]
            }),
            summary: findings.summary,
            topics: findings.topics,
            action_items: findings.action_items,
          }),
      requests: [...this.#ledger.requests],
    }
  }

  #findings(turns: ReturnType<typeof turnsOf>): Promise<Findings> {
    // What they are about may change between two drives: a call may be told to be audio after all.
    const about = hash('sha256', JSON.stringify(turns)).slice(0, 16)
    return this.#ledger.step(`findings/${about}`, () =>
      analyseTurns(turns, `${this.#request.idempotencyKey}:chat`, {
        model: this.#options.chatModel,
        without: this.#without.chat,
        post: (message) => this.#post('chat', message, null),
      }),
    )
  }

  // --- speech to text ---------------------------------------------------------------------------------------------

  async transcript(): Promise<Transcript> {
    const { media, packetPages, expectedTotal } = this.#request
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
      const audio = packetAudio(this.#request.packetPages(), format, measure)
      for await (const piece of speechPieces(audio, format, channel, length)) {
        missingFrames += piece.missing.reduce((sum, { first, last }) => sum + last - first + 1, 0)
        // A transcript that is full is not asked for more: it would be paid for and cut off.
        const isFull =
          segments.length >= limits.transcriptSegmentsMax || characters >= limits.transcriptionCharactersMax
        if (piece.isSilent || isFull) continue
        const heard = await this.#hearPiece(piece, format, channel)
        for (const { text } of heard) characters += text.length
        segments.push(...heard)
      }
    }
    segments.sort((a, b) => a.start - b.start || a.channel - b.channel)
    const frames = measure.frames * format.channels
    const coverage = frames === 0 ? 1 : share(1 - missingFrames / frames)
    return { coverage, segments: segments.slice(0, limits.transcriptSegmentsMax) }
  }

  async #hearPiece(
    piece: SpeechPiece,
    { encoding, sampleRate, channels }: AudioFormat,
    channel: number,
  ): Promise<TranscriptSegment[]> {
    const sound = `${encoding}/${sampleRate}/${channel + 1}of${channels}`
    const key = `piece/${sound}/${piece.firstFrame}+${piece.frames}`
    const heard = await this.#ledger.step(key, () => this.#transcribe(piece, sampleRate, key))
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
    const idempotencyKey = `${this.#request.idempotencyKey}:${key}`
    const answer = await this.#postPiece(piece, sampleRate, idempotencyKey)
    if (answer.status === 413 && duration * 1000 >= 2 * limits.pieceMsMin)
      return this.#transcribeHalves(piece, sampleRate, key)
    assertSucceeded(answer, 'transcription')
    return readTranscription(answer, duration)
  }

  /** Once more without each parameter that the server does not take. */
  async #postPiece(piece: SpeechPiece, sampleRate: number, idempotencyKey: string): Promise<ProviderAnswer> {
    const without = this.#without.transcription
    const { transcriptionModel: model, language } = this.#options
    for (;;) {
      const suffix = without.size === 0 ? '' : `:without:${[...without].join(':')}`
      const options = { model, language, without }
      const message = transcriptionMessage(piece, sampleRate, options, `${idempotencyKey}${suffix}`)
      const answer = await this.#post('transcription', message, piece.frames / sampleRate)
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
      for (const segment of await this.#transcribe(half, sampleRate, `${key}/${half.firstFrame}`))
        heard.push({ ...segment, start: segment.start + offset, end: segment.end + offset })
    }
    return heard
  }

  // --- requests ---------------------------------------------------------------------------------------------------

  async #post(
    what: ProviderRequest['what'],
    message: ProviderMessage,
    audioSeconds: number | null,
  ): Promise<ProviderAnswer> {
    const account = { what, bytes_sent: bytesOf(message), audio_seconds: audioSeconds }
    const startedAt = performance.now()
    try {
      const answer = await this.#servers[what].post(message, this.#signal)
      await this.#ledger.note({
        ...account,
        status: answer.status,
        latency_ms: answer.latencyMs,
        bytes_received: answer.bytesReceived,
        tokens: tokensOf(answer.text),
      })
      return answer
    } catch (error) {
      // After the end of the attempt nothing more is written: it is somebody else's by now.
      if (!this.#signal.aborted)
        await this.#ledger.note({
          ...account,
          status: 0,
          latency_ms: Math.round(performance.now() - startedAt),
          bytes_received: 0,
          tokens: null,
        })
      throw error
    }
  }
}

function tokensOf(text: string): number | null {
  const found = /"total_tokens"\s*:\s*(\d{1,9})/.exec(text)?.[1]
  return found === undefined ? null : Number(found)
}

function seconds(value: number): number {
  return Math.round(value * 1000) / 1000
}

/** Down, so that a single lost frame never looks like none. */
function share(value: number): number {
  return Math.floor(value * 10_000) / 10_000
}
