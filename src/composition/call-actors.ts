/**
 * The calls and what acts on them, built on an open journal. Each of them may need each other (a deadline wakes a call, a
 * call arms the deadlines): they are all made here, and reach each other only once something happens to a call.
 */

import type { ReceiptFacts } from '../actors/call-facts.js'
import type { CallLife } from '../actors/call-messages.js'
import { CallRegistry } from '../actors/call-registry.js'
import { Deadlines } from '../actors/deadlines.js'
import { DuplicateCheck } from '../actors/duplicate-check.js'
import { Retention } from '../actors/retention.js'
import type { AnalysisProvider } from '../analysis/provider.js'
import { type Clock, rfc3339 } from '../clock.js'
import type { Config } from '../config/config.js'
import { VoiceStreamError } from '../errors.js'
import type { Supervision } from '../feed/supervision.js'
import type { CallInsights } from '../insight/call-insights.js'
import { limits } from '../limits.js'
import type { Log } from '../log.js'
import type { Metrics } from '../metrics/metrics.js'
import type { CallState } from '../protocol/call.js'
import type { CallId } from '../protocol/call-id.js'
import type { Packet } from '../protocol/decode.js'
import type { CallReader, Journal, LifecycleEntry, ReplyTo } from '../store/journal.js'
import { ownsAll } from '../store/owners.js'
import { type CallAnalysis, createCallAnalysis } from './call-analysis.js'
import { keepOpenTracks } from './insights.js'

const dayMs = 86_400_000

export interface CallActorsParts {
  readonly config: Config
  readonly provider: AnalysisProvider
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  readonly journal: Journal & CallReader
  readonly supervision: Supervision
  /** Null where nobody listens to calls. */
  readonly insights: CallInsights | null
  /** Of this process, as calls remember it of their media streams. */
  readonly run: string
  isServing(): boolean
}

export class CallActors {
  readonly #parts: CallActorsParts
  readonly registry: CallRegistry
  readonly analysis: CallAnalysis
  readonly deadlines: Deadlines
  readonly duplicates: DuplicateCheck
  /** Null when calls are kept for ever. */
  readonly retention: Retention | null

  constructor(parts: CallActorsParts) {
    this.#parts = parts
    this.registry = this.#createRegistry()
    this.analysis = this.#createAnalysis()
    this.deadlines = this.#createDeadlines()
    this.duplicates = this.#createDuplicateCheck()
    this.retention = this.#createRetention()
  }

  /** From now on deadlines are delivered, and calls leave the memory and the store when it is time. */
  start(): void {
    this.deadlines.start()
    this.registry.passivation.start()
    if (this.retention === null) this.#parts.log.warn('calls are kept forever: RETENTION_DAYS is 0')
    else this.retention.start()
  }

  /** Resolves when nothing is under way, and every call is in the journal. */
  async stop(): Promise<void> {
    this.deadlines.stop()
    this.registry.passivation.stop()
    await this.retention?.stop()
    await this.analysis.analyses.stop()
    this.#parts.provider.close?.()
    await this.registry.passivation.passivateAll()
  }

  #createRegistry(): CallRegistry {
    const { config, clock, log, metrics, journal, supervision, insights } = this.#parts
    const registryPorts = {
      journal,
      reader: journal,
      clock,
      failed: (error: unknown) => log.error({ err: error }, 'a call could not be activated'),
    }
    return new CallRegistry(registryPorts, {
      journal,
      clock,
      graceMs: config.GRACE_PERIOD_MS,
      idleMs: config.CALL_IDLE_TIMEOUT_MS,
      legGraceMs: {
        stopped: limits.legStoppedGraceMs,
        closed: config.LEG_GRACE_MS,
        lost: config.LEG_GRACE_MS,
      },
      run: this.#parts.run,
      defaultMedia: {
        encoding: config.DEFAULT_ENCODING,
        sample_rate: config.DEFAULT_SAMPLE_RATE,
        channels: config.DEFAULT_CHANNELS,
      },
      publish: (event) => {
        if (event.event === 'alert_raised') metrics.alerts[event.alert.kind]++
        supervision.event(event)
      },
      hear: (context, packets) => insights?.append(context, packets) ?? 0,
      heard: (place) => insights?.committed(place),
      publishPacket: (facts) => supervision.packet(facts),
      publishBlock: (facts) => {
        metrics.counts.packetsLate += facts.lateCount
        supervision.block(facts)
      },
      changed: (context) => {
        if (insights !== null) keepOpenTracks(insights, context, this.#parts.run)
        supervision.changed(context.callId)
      },
      arm: (callId, dueAt) => this.deadlines.arm(callId, dueAt),
      analyse: (life, facts) => this.analysis.analyses.start(life, facts),
      stateChanged: (from, to, context) => {
        if (to === 'COMPLETED') insights?.end(context.callId)
        metrics.stateChanged(from, to, context)
        supervision.stateChanged(from, to, context.logs.missingCount)
      },
      late: () => {
        metrics.counts.packetsLate++
      },
      erased: (callId, state) => this.#erased(callId, state),
      duplicate: (life, packet) => this.duplicates.add(life, packet),
      compare: (life, packet, replyTo) => this.#compare(life, packet, replyTo),
    })
  }

  #createAnalysis(): CallAnalysis {
    const { config, provider, clock, log, metrics, supervision, journal, isServing } = this.#parts
    return createCallAnalysis({
      config,
      provider,
      clock,
      log,
      metrics,
      supervision,
      reader: journal,
      owners: ownsAll,
      record: (life, entry) => this.record(life, entry),
      read: (callId, look) => this.registry.read(callId, look),
      postpone: (callId, delayMs) => this.deadlines.arm(callId, clock.now() + delayMs),
      interrupted: (callId, error) => {
        if (isServing())
          log.warn({ call_id: callId, err: error }, 'an analysis was interrupted; it continues later')
      },
    })
  }

  /** What is found out about a call is journaled by it; false where its state does not admit it. */
  record({ callId, createdAt }: CallLife, entry: LifecycleEntry): Promise<boolean> {
    return new Promise((answered, failed) => {
      this.registry.tell(callId, { type: 'record', createdAt, entry, replyTo: { answered, failed } })
    })
  }

  #createDeadlines(): Deadlines {
    const { clock, log, journal } = this.#parts
    return new Deadlines({
      clock,
      reader: journal,
      owners: ownsAll,
      deliver: (callId, done) =>
        this.registry.tell(callId, {
          type: 'deadline',
          replyTo: { answered: () => done(true), failed: () => done(false) },
        }),
      readFailed: (error) => log.warn({ err: error }, 'deadlines could not be read; trying again'),
    })
  }

  #compare(life: CallLife, packet: Packet, replyTo: ReplyTo<ReceiptFacts>): void {
    const { callId, createdAt } = life
    const { track = 0, sequence } = packet
    this.duplicates.compare(life, packet, (comparison) => {
      if (comparison instanceof VoiceStreamError) return replyTo.failed(comparison)
      this.registry.tell(callId, {
        type: 'compared',
        createdAt,
        packet: { track, sequence },
        isSame: comparison,
        replyTo,
      })
    })
  }

  #createDuplicateCheck(): DuplicateCheck {
    const { log, metrics, journal } = this.#parts
    return new DuplicateCheck({
      reader: journal,
      isThere: (life) => this.registry.isThere(life),
      unchecked: () => {
        metrics.counts.duplicatesUnchecked++
      },
      differs: (callId, sequence) => {
        metrics.counts.duplicateMismatches++
        log.warn(
          { call_id: callId, sequence },
          'a duplicate differs from the stored packet; the stored one is kept',
        )
      },
    })
  }

  #createRetention(): Retention | null {
    const { config, clock, log, metrics, journal } = this.#parts
    if (config.RETENTION_DAYS === 0) return null
    return new Retention({
      clock,
      reader: journal,
      owners: ownsAll,
      keepMs: config.RETENTION_DAYS * dayMs,
      erase: (callId, endedThrough) =>
        new Promise((answered, failed) =>
          this.registry.tell(callId, { type: 'erase', endedThrough, replyTo: { answered, failed } }),
        ),
      passed: (calls) => log.info({ calls }, 'calls were erased by their age'),
      kept: (calls, error) => {
        metrics.counts.retentionFailures += calls
        log.warn({ calls, err: error }, 'calls could not be erased by their age; trying again later')
      },
      failed: (error) => log.warn({ err: error }, 'ended calls could not be read; trying again'),
    })
  }

  /** The erasure is committed: nothing in memory may go on for the call, or keep it. */
  #erased(callId: CallId, state: CallState | null): void {
    const { clock, metrics, supervision } = this.#parts
    this.deadlines.disarm(callId)
    this.analysis.analyses.forget(callId)
    this.#parts.insights?.end(callId)
    metrics.erased(state)
    // Before the event: what is told of the call from now on is this alone.
    supervision.forget(callId)
    supervision.event({ event: 'call_deleted', at: rfc3339(clock.now()), call_id: callId })
  }
}
