/**
 * What was said on a call. The reader makes the file, off the loop that takes in packets, and it goes out as fast as it is
 * taken; what is under way is bounded by its bytes, because somebody may take it slowly.
 */
import { setImmediate as loopTurn } from 'node:timers/promises'
import Type from 'typebox'
import type { CallMachineSnapshot } from '../../actors/call-machine.js'
import type { CallRegistry } from '../../actors/call-registry.js'
import { findingsOf } from '../../actors/call-view.js'
import { VoiceStreamError } from '../../errors.js'
import { limits } from '../../limits.js'
import { type CallId, decodeCallId } from '../../protocol/call-id.js'
import { oneOf } from '../../protocol/query.js'
import { type TranscriptFormat, transcriptFormats } from '../../protocol/subtitles.js'
import { CallTranscript } from '../../protocol/transcript.js'
import type { CallReader } from '../../store/journal.js'
import type { FindingsNote } from '../../store/transcript-file.js'
import { type Exchange, jsonType, privateHeaders } from '../exchange.js'
import type { Route } from '../routes.js'
import { known, unknownCall } from './known-call.js'

const contentTypes = {
  json: jsonType,
  vtt: 'text/vtt; charset=utf-8',
  srt: 'application/x-subrip; charset=utf-8',
  text: 'text/plain; charset=utf-8',
} as const satisfies Record<TranscriptFormat, string>

export function transcriptRoute(registry: CallRegistry, reader: Pick<CallReader, 'transcript'>): Route {
  const transcripts = new Transcripts(registry, reader)
  return {
    method: 'GET',
    path: '/v1/call/{call_id}/transcript',
    access: 'supervisor',
    tag: 'calls',
    summary: 'The transcript of a call and its findings',
    description:
      'The whole transcript; `ai.transcription` of a call and the event `ai_completed` have only its beginning. The words are there as soon as they are known, also if their meaning is not: then `findings` is `pending` or `failed`.',
    query: [
      {
        name: 'format',
        schema: Type.Union(
          transcriptFormats.map((format) => Type.Literal(format)),
          { default: 'json' },
        ),
      },
    ],
    answers: {
      200: { description: 'As JSON, WebVTT, SubRip or text.', schema: CallTranscript },
      404: { description: 'Unknown call, or no transcript (yet).' },
    },
    answer: (exchange) => transcripts.answer(exchange),
  }
}

class Transcripts {
  readonly #registry: CallRegistry
  readonly #reader: Pick<CallReader, 'transcript'>

  constructor(registry: CallRegistry, reader: Pick<CallReader, 'transcript'>) {
    this.#registry = registry
    this.#reader = reader
  }

  async answer(exchange: Exchange): Promise<void> {
    const callId = decodeCallId(exchange.segment)
    const format = oneOf(exchange.query('format'), 'format', transcriptFormats, 'json')
    const { bytes, note } = await this.#look(callId)
    await exchange.room(bytes)
    await this.#send(exchange, callId, format, note)
  }

  async #look(callId: CallId): Promise<{ readonly bytes: number; readonly note: FindingsNote }> {
    const look = (call: CallMachineSnapshot) => {
      const { digest, error } = call.context.analysis
      return { state: call.value, digest, error, findings: findingsOf(call) ?? 'pending' }
    }
    const { state, digest, error, findings } = known(await this.#registry.read(callId, look), callId)
    if (digest === null)
      throw new VoiceStreamError('no_transcript', `call ${callId} is ${state} and has no transcript`)
    const reason = error === null ? {} : { findings_error: error }
    return { bytes: digest.bytes, note: { findings, ...reason } }
  }

  async #send(
    exchange: Exchange,
    callId: CallId,
    format: TranscriptFormat,
    note: FindingsNote,
  ): Promise<void> {
    const { mark } = this.#registry
    const file = await this.#reader.transcript({ callId, format, note }, exchange)
    this.#refuseErased(callId, mark)
    if (file === null) throw await this.#notFound(callId)
    if (file.length <= limits.answerPartBytes)
      return exchange.send('200 OK', contentTypes[format], file, privateHeaders)
    await exchange.stream(
      '200 OK',
      contentTypes[format],
      privateHeaders,
      file.length,
      this.#partsOf(file, callId, mark),
    )
  }

  /** The call says that it has one: it is gone with its call, or cannot be found in the file. */
  async #notFound(callId: CallId): Promise<VoiceStreamError> {
    const isThere = await this.#registry.read(callId, ({ context }) => context.analysis.digest !== null)
    if (isThere !== true) return unknownCall(callId)
    return new VoiceStreamError(
      'stored_damage',
      `the transcript of call ${callId} is stored and is not found`,
    )
  }

  /** Somebody may take it slowly, and the call be erased meanwhile: then the rest is not sent. */
  async *#partsOf(file: Uint8Array, callId: CallId, mark: number): AsyncGenerator<Uint8Array> {
    for (let first = 0; first < file.length; first += limits.answerPartBytes) {
      if (first > 0) await loopTurn()
      this.#refuseErased(callId, mark)
      yield file.subarray(first, first + limits.answerPartBytes)
    }
  }

  #refuseErased(callId: CallId, mark: number): void {
    if (this.#registry.wasErasedSince(callId, mark)) throw unknownCall(callId)
  }
}
