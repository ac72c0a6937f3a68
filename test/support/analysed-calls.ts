/** Calls with their deadlines and their analyses, composed as the service composes them, on a fake clock. */
import pLimit from 'p-limit'
import { Compile } from 'typebox/compile'
import { callView } from '../../src/actors/call-view.js'
import { Deadlines } from '../../src/actors/deadlines.js'
import { packetPages } from '../../src/actors/packet-pages.js'
import { Analyses } from '../../src/analysis/analysis.js'
import { type BreakerPolicy, ProviderBreaker } from '../../src/analysis/breaker.js'
import {
  type AnalysisProvider,
  type AnalysisRequest,
  ProviderUnavailable,
} from '../../src/analysis/provider.js'
import { runWithRetry } from '../../src/analysis/retry.js'
import { AnalysisResult } from '../../src/protocol/analysis.js'
import type { CallView } from '../../src/protocol/call.js'
import type { CallId } from '../../src/protocol/call-id.js'
import { policy } from './ai-run.js'
import { Calls, graceMs } from './calls.js'
import { FakeClock } from './fake-clock.js'
import { HeldJournal } from './held-journal.js'
import { SomeOwners } from './some-owners.js'

type Analyse = (request: AnalysisRequest, signal: AbortSignal) => Promise<unknown>

/** Never opens, so that what is tested beside it stays as it is. */
const noBreaker: BreakerPolicy = { failuresMax: 0, ownFailuresMax: 4, probeMs: 5000, shareMs: 12_000 }

const resultCheck = Compile(AnalysisResult)

export class AnalysedCalls extends Calls {
  readonly owners = new SomeOwners()
  readonly deadlines: Deadlines
  readonly analyses: Analyses
  readonly interruptions: unknown[] = []
  readonly attempts: string[] = []
  readonly breaker: ProviderBreaker
  /** When it opened and closed, from the beginning of the clock. */
  readonly outages: (readonly [what: 'opened' | 'closed', at: number])[] = []
  readonly #breakerPolicy: BreakerPolicy

  constructor(
    analyse: Analyse,
    concurrency = 64,
    journal = new HeldJournal(),
    clock = new FakeClock(),
    breakerPolicy = noBreaker,
  ) {
    super(journal, clock, {
      arm: (callId, dueAt) => this.deadlines.arm(callId, dueAt),
      analyse: (life, facts) => this.analyses.start(life, facts),
    })
    this.deadlines = new Deadlines({
      clock,
      reader: journal,
      owners: this.owners,
      deliver: (callId, done) =>
        this.registry.tell(callId, {
          type: 'deadline',
          replyTo: { answered: () => done(true), failed: () => done(false) },
        }),
      readFailed: (error) => {
        throw error
      },
    })
    this.#breakerPolicy = breakerPolicy
    const slots = pLimit(concurrency)
    this.breaker = new ProviderBreaker(breakerPolicy, {
      clock,
      withSlot: (attempt) => slots(attempt),
      opened: () => this.outages.push(['opened', clock.now()]),
      closed: () => this.outages.push(['closed', clock.now()]),
    })
    const provider: AnalysisProvider = {
      name: 'fake',
      // The answer of a real provider is anything at all; `check` finds out.
      analyse: (request, signal) => analyse(request, signal) as ReturnType<AnalysisProvider['analyse']>,
    }
    this.analyses = new Analyses({
      clock,
      provider,
      owners: this.owners,
      admit: (attempt, own, signal) => this.breaker.guard(attempt, own, signal),
      isProviderDown: () => this.breaker.state !== 'closed',
      suspectProvider: () => this.breaker.suspect(),
      retry: (task, before, signal) => runWithRetry(task, policy, before, clock, signal),
      record: ({ callId, createdAt }, entry) => this.record(callId, entry, createdAt).promise,
      read: (callId, look) => this.look(callId, look),
      redact: null,
      packetPages: (callId) =>
        packetPages(journal, { read: (id, look) => this.look(id, look) }, callId, 0, 2),
      kept: (callId) => journal.keptOf(callId),
      check: (answer) => {
        if (resultCheck.Check(answer)) return answer
        throw new ProviderUnavailable('the provider’s answer is not a result')
      },
      postpone: (callId, delayMs) => this.deadlines.arm(callId, clock.now() + delayMs),
      attemptEnded: (outcome) => this.attempts.push(outcome),
      attemptReleased: () => this.attempts.push('released'),
      interrupted: (_, error) => this.interruptions.push(error),
    })
    this.deadlines.start()
  }

  override view(id: CallId): Promise<CallView | null> {
    return this.registry.read(id, (state) => callView(state, this.analyses.waitingFor(id), this.clock.now()))
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
    this.deadlines.stop()
    this.journal.fail()
    await this.analyses.stop()
    this.journal.fail()
    return new AnalysedCalls(analyse, 64, this.journal, this.clock, this.#breakerPolicy)
  }
}
