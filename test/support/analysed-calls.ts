/** Calls with their alarm and their analyses, composed as the service composes them, on a fake clock. */
import pLimit from 'p-limit'
import { Compile } from 'typebox/compile'
import { Alarm } from '../../src/actors/alarm.js'
import { Analyses } from '../../src/actors/analysis.js'
import { type AnalysisProvider, type AnalysisRequest, ProviderUnavailable } from '../../src/ai/provider.js'
import { runWithRetry } from '../../src/ai/retry.js'
import { AnalysisResult } from '../../src/protocol/call.js'
import type { CallId } from '../../src/protocol/call-id.js'
import type { StoredPacket } from '../../src/store/journal.js'
import { policy } from './ai-run.js'
import { Calls, graceMs } from './calls.js'
import { FakeClock } from './fake-clock.js'
import { HeldJournal } from './held-journal.js'

type Analyse = (request: AnalysisRequest, signal: AbortSignal) => Promise<unknown>

const resultCheck = Compile(AnalysisResult)

export class AnalysedCalls extends Calls {
  readonly alarm: Alarm
  readonly analyses: Analyses
  readonly interruptions: unknown[] = []
  readonly attempts: string[] = []

  constructor(analyse: Analyse, concurrency = 64, journal = new HeldJournal(), clock = new FakeClock()) {
    super(journal, clock, {
      arm: (callId, dueAt) => this.alarm.arm(callId, dueAt),
      analyse: (callId, facts) => this.analyses.start(callId, facts),
    })
    this.alarm = new Alarm({
      clock,
      reader: journal,
      ring: (callId, done) =>
        this.registry.tell(callId, {
          type: 'deadline',
          replyTo: { answered: () => done(true), failed: () => done(false) },
        }),
      readFailed: (error) => {
        throw error
      },
    })
    const slots = pLimit(concurrency)
    const provider: AnalysisProvider = {
      name: 'fake',
      // The answer of a real provider is anything at all; `check` finds out.
      analyse: (request, signal) => analyse(request, signal) as ReturnType<AnalysisProvider['analyse']>,
    }
    this.analyses = new Analyses({
      clock,
      provider,
      withSlot: (attempt) => slots(attempt),
      retry: (task, before, signal) => runWithRetry(task, policy, before, clock, signal),
      record: (callId, entry) => this.record(callId, entry).promise,
      read: (callId, look) => this.look(callId, look),
      packets: (callId) => this.#packets(callId),
      check: (answer) => {
        if (resultCheck.Check(answer)) return answer
        throw new ProviderUnavailable('the provider’s answer is not a result')
      },
      postpone: (callId, delayMs) => this.alarm.arm(callId, clock.now() + delayMs),
      attemptEnded: (outcome) => this.attempts.push(outcome),
      interrupted: (_, error) => this.interruptions.push(error),
    })
    this.alarm.start()
  }

  async *#packets(callId: CallId): AsyncIterable<StoredPacket> {
    for (let from: number | null = 0; from !== null; ) {
      const page: Awaited<ReturnType<HeldJournal['packets']>> = await this.journal.packets(callId, from, 2)
      yield* page.packets
      from = page.nextFrom
    }
  }

  /** Lives a call of two packets, of three, to the end of its grace period. */
  async end(...ids: CallId[]): Promise<void> {
    for (const id of ids) {
      await Promise.all([this.packet(id, 2).promise, this.packet(id, 0).promise])
      await this.complete(id, 3).promise
    }
    await this.clock.advance(graceMs)
  }

  /** The process ends; another one starts on what is committed. */
  async restart(analyse: Analyse): Promise<AnalysedCalls> {
    this.alarm.stop()
    this.journal.fail()
    await this.analyses.stop()
    this.journal.fail()
    return new AnalysedCalls(analyse, 64, this.journal, this.clock)
  }
}
