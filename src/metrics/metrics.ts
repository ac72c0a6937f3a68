/**
 * The counts of the service. The hot path only adds to plain numbers and observes one histogram; everything else is read
 * when somebody asks.
 */
import type { CallContext } from '../actors/call-context.js'
import { type OutageCause, outageCauses } from '../analysis/breaker.js'
import type { Millis } from '../clock.js'
import { type AlertKind, alertKinds } from '../protocol/alert.js'
import type { CallState, CompletionReason } from '../protocol/call.js'
import { callStates } from '../protocol/call-states.js'
import { type GaugeSources, registerGauges } from './gauges.js'
import { HotHistogram } from './hot-histogram.js'
import { MetricRegistry } from './metric-registry.js'

const walPageBytes = 4096
const latencyBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const attemptBuckets = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 300]
/** The grace period alone takes 3 s; an outage of the provider may take hours. */
const finishBuckets = [1, 2.5, 5, 10, 20, 30, 60, 120, 300, 900, 3600, 14_400]

const zeroes = () => Object.fromEntries(callStates.map((state) => [state, 0])) as Record<CallState, number>

export class Metrics {
  readonly #registry = new MetricRegistry()
  /** Plain numbers for the hot path; they become prom-client's when they are read. */
  readonly packets = { accepted: 0, duplicate: 0, rejected: 0, invalid: 0 }
  readonly attempts = { succeeded: 0, failed: 0 }
  readonly breakerOpens = Object.fromEntries(outageCauses.map((cause) => [cause, 0])) as Record<
    OutageCause,
    number
  >
  readonly alerts = Object.fromEntries(alertKinds.map((kind) => [kind, 0])) as Record<AlertKind, number>
  readonly counts = {
    packetsLate: 0,
    packetsShed: 0,
    streamsRefused: 0,
    packetsLost: 0,
    callsWithLoss: 0,
    duplicateMismatches: 0,
    duplicatesUnchecked: 0,
    supervisorsDropped: 0,
    commitsFailed: 0,
    appendsFailed: 0,
    checkpointsFailed: 0,
    attemptsReleased: 0,
    redrives: 0,
    callsErased: 0,
    retentionFailures: 0,
    storeDuplicates: 0,
    damagedRows: 0,
  }
  readonly #callsByState = zeroes()
  readonly #callsEntered = zeroes()
  readonly #callsCompleted: Record<CompletionReason, number> = {
    completed: 0,
    idle_timeout: 0,
    no_audio: 0,
    stream_lost: 0,
  }
  /** By status. */
  readonly #responses = new Float64Array(600)
  readonly #requestSeconds = new HotHistogram(
    'voicestream_request_seconds',
    'Time from a request’s headers to its answer.',
    'route',
    latencyBuckets,
  )
  readonly #attemptSeconds = new HotHistogram(
    'voicestream_ai_attempt_seconds',
    'Time of an attempt at an analysis, from its slot to its answer.',
    'outcome',
    attemptBuckets,
  )
  readonly #finishSeconds = new HotHistogram(
    'voicestream_call_finish_seconds',
    'Time from a call’s completion to its end, including the grace period.',
    'state',
    finishBuckets,
  )
  readonly #mediaSeconds = new HotHistogram(
    'voicestream_media_settle_seconds',
    'Time from a media packet’s arrival to its settlement: on disk, or refused.',
    'dialect',
    latencyBuckets,
  )
  readonly #commitSeconds = this.#registry.histogram(
    'commit_seconds',
    'Time of a journal commit, including its fsync.',
    latencyBuckets,
  )
  readonly #commitPackets = this.#registry.histogram(
    'commit_packets',
    'Packets in a journal commit.',
    [1, 4, 16, 64, 256, 1024, 4096, 16_384],
  )
  #walPages = 0
  #tailBytes = 0

  constructor() {
    for (const histogram of [
      this.#requestSeconds,
      this.#attemptSeconds,
      this.#finishSeconds,
      this.#mediaSeconds,
    ])
      this.#registry.add(histogram)
    this.#registerByLabel()
    this.#registerTotals()
    this.#registerMedia()
    const gauge = this.#registry.gauge.bind(this.#registry)
    gauge('journal_tail_bytes', 'Packets committed and not yet folded into runs.', () => this.#tailBytes)
    gauge('wal_bytes', 'The write-ahead log at the last look.', () => this.#walPages * walPageBytes)
  }

  /** To be called once, when all that is looked at is there. */
  watch(sources: GaugeSources): void {
    registerGauges(this.#registry, sources)
    const { activeCallsByState } = sources
    const all = this.#callsByState
    this.#registry.gauges('calls', 'Calls by state, including stored ones.', 'state', () =>
      Object.entries(all),
    )
    this.#registry.gauges(
      'calls_passive',
      'Calls by state that are stored and not in memory.',
      'state',
      () => {
        const active = activeCallsByState()
        // A new call is in memory before it is stored.
        return callStates.map((state) => [state, Math.max(0, all[state] - active[state])])
      },
    )
  }

  #registerByLabel(): void {
    const counters = this.#registry.counters.bind(this.#registry)
    counters('packets_total', 'Packets by outcome.', 'status', () => Object.entries(this.packets))
    counters(
      'ai_breaker_opens_total',
      'How often the provider was found to be down, by cause: the provider itself, or the account’s key, quota, …',
      'cause',
      () => Object.entries(this.breakerOpens),
    )
    counters('alerts_total', 'Alerts raised about the sound of calls, by kind.', 'kind', () =>
      Object.entries(this.alerts),
    )
    counters('ai_attempts_total', 'Ended attempts at an analysis, by outcome.', 'outcome', () =>
      Object.entries(this.attempts),
    )
    counters(
      'responses_total',
      'Answers by status; 0 for a sender that went away, 101 for a socket.',
      'status',
      () => [...this.#responses.entries()].filter(([, count]) => count > 0),
    )
    counters('calls_entered_total', 'Calls that came into a state.', 'state', () =>
      Object.entries(this.#callsEntered),
    )
    counters(
      'calls_completed_total',
      'Completed calls by reason: idle_timeout if no completion came, no_audio for calls without packets.',
      'reason',
      () => Object.entries(this.#callsCompleted),
    )
  }

  #registerTotals(): void {
    const total = (name: string, help: string, key: keyof Metrics['counts']) =>
      this.#registry.counter(name, help, () => this.counts[key])
    total(
      'ai_attempts_released_total',
      'Failed attempts that did not count, because the provider was down.',
      'attemptsReleased',
    )
    total('ai_redrives_total', 'Failed calls whose analysis was begun again by hand.', 'redrives')
    total('packets_late_total', 'Accepted packets that closed a gap.', 'packetsLate')
    total(
      'packets_lost_total',
      'Packets that were still missing when the grace period of their call was over.',
      'packetsLost',
    )
    total(
      'calls_with_loss_total',
      'Calls that missed a packet when their grace period was over.',
      'callsWithLoss',
    )
    total(
      'duplicate_mismatches_total',
      'Duplicates whose content differs from what is stored.',
      'duplicateMismatches',
    )
    total(
      'duplicates_unchecked_total',
      'Duplicates that arrived too fast to compare their content.',
      'duplicatesUnchecked',
    )
    total(
      'supervisors_dropped_total',
      'Supervisor sockets closed because they read too slowly.',
      'supervisorsDropped',
    )
    total('commits_failed_total', 'Commits that failed.', 'commitsFailed')
    total('calls_erased_total', 'Calls erased, by request or by age.', 'callsErased')
    total(
      'retention_failures_total',
      'Erasures by age that failed; each is tried again.',
      'retentionFailures',
    )
    total(
      'store_duplicates_total',
      'Packets that the journal held twice: the first is kept, the second dropped.',
      'storeDuplicates',
    )
    total('damaged_rows_total', 'Damaged rows of the database; they are not served.', 'damagedRows')
    total('appends_failed_total', 'Appends that were refused because a commit failed.', 'appendsFailed')
    total(
      'checkpoints_failed_total',
      'Times that the write-ahead log could not be moved into the database.',
      'checkpointsFailed',
    )
  }

  #registerMedia(): void {
    const total = (name: string, help: string, key: keyof Metrics['counts']) =>
      this.#registry.counter(name, help, () => this.counts[key])
    total(
      'media_packets_shed_total',
      'Packets of media streams that were dropped as recorded gaps, because a bound was reached.',
      'packetsShed',
    )
    total(
      'media_streams_refused_total',
      'Media streams that were refused after their upgrade: without a token that is known, or of another call than its token.',
      'streamsRefused',
    )
  }

  countResponse(status: number): void {
    this.#responses[status] = (this.#responses[status] ?? 0) + 1
  }

  observeRequest(route: string, seconds: number): void {
    this.#requestSeconds.observe(route, seconds)
  }

  observeAttempt(outcome: keyof Metrics['attempts'], durationMs: Millis): void {
    this.attempts[outcome]++
    this.#attemptSeconds.observe(outcome, durationMs / 1000)
  }

  observeMedia(dialect: string, settledMs: Millis): void {
    this.#mediaSeconds.observe(dialect, settledMs / 1000)
  }

  observeCommit(commit: { packets: number; commitMs: number; tailBytes: number; walPages: number }): void {
    this.#commitSeconds.observe(commit.commitMs / 1000)
    this.#commitPackets.observe(commit.packets)
    this.#tailBytes = commit.tailBytes
    this.#walPages = commit.walPages
  }

  setStates(counts: Readonly<Record<CallState, number>>): void {
    Object.assign(this.#callsByState, counts)
  }

  callsIn(state: CallState): number {
    return this.#callsByState[state]
  }

  stateChanged(from: CallState | null, to: CallState, call: CallContext): void {
    if (from !== null) this.#callsByState[from]--
    this.#callsByState[to]++
    this.#callsEntered[to]++
    if (from === 'IN_PROGRESS' && call.reason !== null) this.#callsCompleted[call.reason]++
    // Nothing is accepted from now on.
    if (from === 'COMPLETED') this.#countLoss(call.logs.missingCount)
    const hasEnded = to === 'ARCHIVED' || to === 'FAILED'
    if (hasEnded && call.completedAt !== null && call.endedAt !== null)
      this.#finishSeconds.observe(to, (call.endedAt - call.completedAt) / 1000)
  }

  erased(state: CallState | null): void {
    if (state !== null) this.#callsByState[state]--
    this.counts.callsErased++
  }

  #countLoss(missing: number): void {
    if (missing === 0) return
    this.counts.packetsLost += missing
    this.counts.callsWithLoss++
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  text(): Promise<string> {
    return this.#registry.text()
  }
}
