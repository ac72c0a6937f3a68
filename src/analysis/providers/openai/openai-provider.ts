/**
 * Any server with the shape of OpenAI's API: speech to text piece by piece and channel by channel, then what it means.
 * Every step is kept when it is done (`Ledger`), so an attempt goes on where the one before it broke off. A call that
 * carries text needs no ears, and silence needs no request at all.
 */
import { hash } from 'node:crypto'
import type { AnalysisResult, HeardWords, ProviderRequest, Transcript } from '../../../protocol/analysis.js'
import { type AnalysisProvider, type AnalysisRequest, ProviderRejected } from '../../provider.js'
import { plainText, turnsOf } from '../../transcript.js'
import { bytesOf, type Connection, type ProviderAnswer, type ProviderMessage } from './connection.js'
import { analyseTurns } from './conversation.js'
import type { Findings } from './findings.js'
import { Hearing, type HearingOptions } from './hearing.js'
import { Ledger } from './ledger.js'

export interface OpenAiOptions extends HearingOptions {
  readonly chatModel: string
}

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
      const words = run.wordsOf(await run.hear())
      return words.transcript.segments.length === 0 ? null : words
    } catch (error) {
      if (error instanceof ProviderRejected) return null
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
  readonly #hearing: Hearing
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
    this.#hearing = new Hearing(options, {
      request,
      ledger,
      without: without.transcription,
      post: (message, seconds) => this.#post('transcription', message, seconds),
    })
  }

  /** What can be heard; the server has refused the rest. */
  hear(): Promise<Transcript> {
    return this.#hearing.transcript()
  }

  wordsOf(transcript: Transcript): HeardWords {
    const requests = [...this.#ledger.requests]
    return { transcription: plainText(transcript.segments), transcript, requests }
  }

  async result(): Promise<AnalysisResult> {
    const transcript = await this.hear()
    const { segments, voices } = transcript
    if (segments.length > 0) this.#request.heard(this.wordsOf(transcript))
    if (this.#hearing.refusal !== null) throw this.#hearing.refusal
    const turns = turnsOf(segments, voices)
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
