/**
 * One outcome for every call that has ended, however many attempts and restarts it takes (V10).
 *
 * Owns the analyses under way, at most one a call. It decides nothing about the lifecycle: every step (an attempt
 * starts, fails, succeeds, the budget is spent) is a message to the call, which journals it if its state admits it; a
 * step that is not admitted or not stored breaks the run off, and the call's next deadline starts another one from
 * what the journal says. A call that waits for a slot, for a provider that is down or between attempts holds no slot.
 */

import assert from 'node:assert/strict'
import type { AnalysisFacts } from '../actors/call-context.js'
import type { CallMachineSnapshot } from '../actors/call-machine.js'
import type { CallLife } from '../actors/call-messages.js'
import type { Clock, Millis } from '../clock.js'
import { unreachable, VoiceStreamError } from '../errors.js'
import { limits } from '../limits.js'
import type { AnalysisResult, HeardWords } from '../protocol/analysis.js'
import type { WaitingFor } from '../protocol/call.js'
import type { CallId } from '../protocol/call-id.js'
import { mediaOf } from '../protocol/media.js'
import { type WrittenTranscript, writeTranscript, writeWords } from '../protocol/transcript.js'
import type { KeptPart, LifecycleEntry, StoredPacket } from '../store/journal.js'
import type { Owners } from '../store/owners.js'
import type { OwnFailures } from './breaker.js'
import { coverageOf, heardTracks, keyOf } from './call-account.js'
import type { AnalysisCheckpoints, AnalysisProvider, AnalysisRequest, Redact } from './provider.js'
import { redactedResult, redactedWords } from './redaction.js'
import {
  type Admitted,
  type FailedAttempt,
  type RetryOutcome,
  type RetryProgress,
  type RetryTask,
  RunInterrupted,
} from './retry-task.js'
import { WordsOfRun } from './words-of-run.js'

export interface AnalysisPorts {
  readonly clock: Clock
  readonly provider: AnalysisProvider
  readonly owners: Owners
  /**
   * Runs an attempt when a slot is free and the provider may be asked, or rejects with `AttemptReleased` or the signal's
   * reason.
   */
  admit<R>(attempt: Admitted<R>, own: OwnFailures, signal: AbortSignal): Promise<R>
  isProviderDown(): boolean
  /** A call says that the provider was down when the process ended. */
  suspectProvider(): Promise<void>
  /** The retry policy, `analysis/retry.ts`. */
  retry(
    task: RetryTask<WrittenTranscript>,
    before: RetryProgress,
    signal: AbortSignal,
  ): Promise<RetryOutcome<WrittenTranscript>>
  /** Journals a step; false when the call's state does not admit it, or the call is another one by now. */
  record(life: CallLife, entry: LifecycleEntry): Promise<boolean>
  read<T>(callId: CallId, look: (state: CallMachineSnapshot) => T): Promise<T | null>
  packetPages(callId: CallId, track: number): AsyncIterable<readonly StoredPacket[]>
  /** Results that analyses of the call have kept, in order. */
  kept(callId: CallId): Promise<readonly KeptPart[]>
  /** Throws when the answer is not an `AnalysisResult`. */
  check(answer: unknown): AnalysisResult
  /** Masks what was said, before anybody knows of it; null where nothing is masked. */
  readonly redact: Redact | null
  /** The call goes on later: its deadline is delivered again after a while. */
  postpone(callId: CallId, delayMs: Millis): void
  attemptEnded(outcome: 'succeeded' | 'failed', durationMs: Millis): void
  /** It is one of those that failed. */
  attemptReleased(): void
  /** A run ended without an outcome, for the log. */
  interrupted(callId: CallId, error: unknown): void
}

interface AttemptPorts {
  readonly signal: AbortSignal
  readonly advanced: () => void
  readonly heard: (words: HeardWords) => void
}

interface Run {
  readonly ended: Promise<void>
  readonly abort: AbortController
}

export class Analyses {
  readonly #ports: AnalysisPorts
  readonly #running = new Map<CallId, Run>()
  readonly #attempting = new Set<CallId>()
  readonly #betweenAttempts = new Set<CallId>()
  /** Broken off for good, and not ended yet: their calls may have been followed by others of the same name. */
  readonly #forgotten = new Set<Run>()
  #isStopped = false

  constructor(ports: AnalysisPorts) {
    this.#ports = ports
  }

  get runningCount(): number {
    return this.#running.size
  }

  start(life: CallLife, facts: AnalysisFacts): void {
    const { callId } = life
    if (this.#running.has(callId) || this.#isStopped || !this.#ports.owners.owns(callId)) return
    // Waiting is free for a call: it lies in the journal, and its deadline is delivered again.
    if (this.#running.size >= limits.analysesMax) return this.#ports.postpone(callId, limits.analysisRetryMs)
    const abort = new AbortController()
    const ended = this.#run(life, facts, abort.signal)
      .catch((error) => {
        if (this.#forgotten.has(run)) return
        this.#ports.interrupted(callId, error)
        if (!this.#isStopped) this.#ports.postpone(callId, limits.analysisRetryMs)
      })
      .finally(() => {
        this.#forgotten.delete(run)
        if (this.#running.get(callId) === run) this.#leave(callId)
      })
    const run: Run = { ended, abort }
    this.#running.set(callId, run)
  }

  /** The call is gone: its run is broken off, and nothing goes on later. */
  forget(callId: CallId): void {
    this.#breakOff(callId, 'the call was erased')
  }

  /** This node decides about fewer calls than before: the new owners of the others go on with what is in the journal. */
  lost(): void {
    for (const callId of this.#running.keys())
      if (!this.#ports.owners.owns(callId)) this.#breakOff(callId, 'the call has another owner')
  }

  #breakOff(callId: CallId, why: string): void {
    const run = this.#running.get(callId)
    if (run === undefined) return
    this.#leave(callId)
    this.#forgotten.add(run)
    run.abort.abort(new Error(why))
  }

  #leave(callId: CallId): void {
    this.#running.delete(callId)
    this.#attempting.delete(callId)
    this.#betweenAttempts.delete(callId)
  }

  /** Of a call in PROCESSING_AI; null while an attempt is under way. */
  waitingFor(callId: CallId): WaitingFor | null {
    if (this.#attempting.has(callId)) return null
    if (this.#betweenAttempts.has(callId)) return 'retry'
    return this.#ports.isProviderDown() ? 'provider' : 'slot'
  }

  /** Breaks off every run; resolves when none is left. What they had reached is in the journal. */
  async stop(): Promise<void> {
    this.#isStopped = true
    const running = [...this.#running.values(), ...this.#forgotten]
    for (const { abort } of running) abort.abort(new Error('shutting down'))
    await Promise.all(running.map(({ ended }) => ended))
  }

  async #run(life: CallLife, facts: AnalysisFacts, stop: AbortSignal): Promise<void> {
    const { callId } = life
    const { clock, provider, retry } = this.#ports
    if (facts.isAwaitingProvider) await this.#ports.suspectProvider()
    const own = { row: 0, count: facts.attempts }
    const words = new WordsOfRun(facts)
    const task: RetryTask<WrittenTranscript> = {
      admit: (attempt) => {
        this.#betweenAttempts.delete(callId)
        return this.#ports.admit(attempt, own, stop)
      },
      started: (attempt) => {
        this.#attempting.add(callId)
        const entry = { type: 'attempt-started', at: clock.now(), attempt, provider: provider.name } as const
        return this.#record(life, entry)
      },
      run: (attempt, signal, advanced) =>
        this.#attempt(life, facts.redrives, attempt, { signal, advanced, heard: words.heard }),
      failed: async (failure) => {
        this.#attempting.delete(callId)
        this.#betweenAttempts.add(callId)
        await this.#record(life, this.#failureEntry(failure))
        await this.#keepNewWords(life, words, stop)
      },
      released: async ({ attempt, error }) => {
        this.#attempting.delete(callId)
        this.#ports.attemptReleased()
        await this.#record(life, { type: 'attempt-released', at: clock.now(), attempt, error })
        await this.#keepNewWords(life, words, stop)
      },
    }
    const outcome = await retry(task, { attempts: facts.attempts, spentMs: facts.spentMs }, stop)
    if (outcome.kind === 'failed') await this.#keepLastWords(life, facts.redrives, stop)
    await this.#recordFinding(life, this.#outcomeEntry(outcome), stop)
  }

  async #attempt(
    life: CallLife,
    redrives: number,
    attempt: number,
    ports: AttemptPorts,
  ): Promise<WrittenTranscript> {
    const { clock, provider, check, redact, attemptEnded } = this.#ports
    const { signal } = ports
    const request = await this.#request(life, redrives, attempt, ports)
    const startedAt = clock.now()
    try {
      const result = await redactedResult(check(await provider.analyse(request, signal)), redact)
      attemptEnded('succeeded', clock.now() - startedAt)
      return await writeTranscript(result, coverageOf(request))
    } catch (error) {
      attemptEnded('failed', clock.now() - startedAt)
      throw error
    }
  }

  /** The call waits, and may wait for days: its words are readable and found meanwhile. */
  async #keepNewWords(life: CallLife, run: WordsOfRun, stop: AbortSignal): Promise<void> {
    const words = run.take()
    if (words !== null) await this.#recordWords(life, words, stop)
  }

  /** Whatever became of their meaning, and with the account of all requests. */
  async #keepLastWords(life: CallLife, redrives: number, stop: AbortSignal): Promise<void> {
    const { provider } = this.#ports
    if (provider.heard === undefined) return
    const run = { signal: stop, advanced: () => {}, heard: () => {} }
    const words = await provider.heard(await this.#request(life, redrives, 1, run))
    if (words !== null && !stop.aborted) await this.#recordWords(life, words, stop)
  }

  async #recordWords(life: CallLife, words: HeardWords, stop: AbortSignal): Promise<void> {
    const text = await writeWords(await redactedWords(words, this.#ports.redact))
    const entry = { type: 'heard', at: this.#ports.clock.now(), ...text } as const
    await this.#recordFinding(life, entry, stop)
  }

  async #request(
    life: CallLife,
    redrives: number,
    attempt: number,
    { signal, advanced, heard }: AttemptPorts,
  ): Promise<AnalysisRequest> {
    const { callId, createdAt } = life
    const account = await this.#ports.read(callId, ({ context: { logs, details } }) => ({
      idempotencyKey: keyOf(callId, createdAt, redrives),
      tracks: heardTracks(logs).map(({ track, log }) => ({
        track,
        name: details.tracks?.find((other) => other.track === track)?.name ?? null,
        media: mediaOf(details, track),
        expectedTotal: log.expectedTotal,
      })),
      packetCount: logs.totalReceived,
      missingCount: logs.missingCount,
      missingRanges: logs.first
        .missingRanges(0, limits.gapRangesListedMax)
        .ranges.map(({ first, last }) => [first, last] as const),
    }))
    signal.throwIfAborted()
    if (account === null) throw new VoiceStreamError('call_not_found', 'a call under analysis is gone')
    return {
      callId,
      checkpoints: this.#checkpoints(life, attempt, signal, advanced),
      ...account,
      tracks: account.tracks.map((of) => ({
        ...of,
        packetPages: () => this.#pages(callId, of.track, signal),
      })),
      attempt,
      redact: this.#ports.redact,
      heard,
    }
  }

  /** A row that is read after the end of a run may be another call's of the same name. */
  async *#pages(callId: CallId, track: number, signal: AbortSignal): AsyncGenerator<readonly StoredPacket[]> {
    signal.throwIfAborted()
    for await (const page of this.#ports.packetPages(callId, track)) {
      signal.throwIfAborted()
      yield page
    }
  }

  #checkpoints(
    life: CallLife,
    attempt: number,
    signal: AbortSignal,
    advanced: () => void,
  ): AnalysisCheckpoints {
    let current = attempt
    const keep = async (key: string, text: string, isStep: boolean): Promise<void> => {
      // An attempt that is over may go on in its adapter, and what it finds is another one's by now.
      signal.throwIfAborted()
      assert(key.length + text.length <= limits.checkpointCharactersMax, 'what is kept is bounded')
      const at = this.#ports.clock.now()
      const entry = { type: 'analysis-kept', at, attempt: current, key, text, isStep } as const
      await this.#recordFinding(life, entry, signal).catch((cause) => {
        throw new RunInterrupted('a part of the analysis could not be kept', { cause })
      })
      if (!isStep) return
      current = 1
      if (!signal.aborted) advanced()
    }
    const load = async () => {
      const kept = await this.#ports.kept(life.callId)
      signal.throwIfAborted()
      return new Map(kept.map(({ key, text }) => [key, text]))
    }
    return {
      load,
      save: (key, text) => keep(key, text, true),
      note: (key, text) => keep(key, text, false),
    }
  }

  #failureEntry({ attempt, error, spentMs, waitMs }: FailedAttempt): LifecycleEntry {
    const at = this.#ports.clock.now()
    return { type: 'attempt-failed', at, attempt, error, spentMs, nextAttemptAt: at + waitMs }
  }

  #outcomeEntry(outcome: RetryOutcome<WrittenTranscript>): LifecycleEntry {
    const at = this.#ports.clock.now()
    switch (outcome.kind) {
      case 'succeeded':
        return { type: 'analysed', at, ...outcome.result }
      case 'failed':
        return { type: 'analysis-failed', at, error: outcome.error }
      default:
        return unreachable(outcome)
    }
  }

  /** A result has cost an attempt: while the journal cannot take it, it is offered again. */
  async #recordFinding(life: CallLife, entry: LifecycleEntry, stop: AbortSignal): Promise<void> {
    for (;;) {
      try {
        return await this.#record(life, entry)
      } catch (error) {
        const passes = error instanceof VoiceStreamError && error.code !== 'version_conflict'
        if (!passes || stop.aborted) throw error
        await new Promise<void>((resolve) => this.#ports.clock.after(limits.analysisRetryMs, resolve))
        if (stop.aborted) throw error
      }
    }
  }

  async #record(life: CallLife, entry: LifecycleEntry): Promise<void> {
    if (!(await this.#ports.record(life, entry)))
      throw new VoiceStreamError('version_conflict', `the call does not admit ${entry.type} now`)
  }
}
