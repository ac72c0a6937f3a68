/** Gauges, read at each scrape: queues, calls in memory, space on the disk. */
import { performance } from 'node:perf_hooks'
import type { BreakerState } from '../analysis/breaker.js'
import type { CallState } from '../protocol/call.js'
import type { Space } from './folder-space.js'
import type { MetricRegistry } from './metric-registry.js'

export interface GaugeSources {
  readonly version: string
  activeCalls(): number
  activeCallsByState(): Readonly<Record<CallState, number>>
  activatingCalls(): number
  activationMessages(): number
  armedDeadlines(): number
  runningAnalyses(): number
  runningAttempts(): number
  waitingAttempts(): number
  breakerState(): BreakerState
  parkedAttempts(): number
  supervisors(): number
  mediaSockets(): number
  listeners(): number
  insightChannels(): number
  insightSkipped(): number
  insightRestarts(): number
  supervisorQueuedBytes(): number
  events(): number
  requestsInFlight(): number
  untakenBytes(): number
  queuedEntries(): number
  openEntries(): number
  openBytes(): number
  erasureBacklog(): number
  /** Seconds since 1970; 0 while there is none. */
  oldestEndedCall(): number
  space(): Space
  /** Every reason there is, and whether it holds. */
  notReady(): Readonly<Record<string, boolean>>
}

const breakerStates: readonly BreakerState[] = ['closed', 'open', 'half_open']

export function registerGauges(registry: MetricRegistry, sources: GaugeSources): void {
  registerService(registry, sources)
  registerCalls(registry, sources)
  registerJournal(registry, sources)
  registerAnalyses(registry, sources)
  registerSupervisors(registry, sources)
}

function registerService(registry: MetricRegistry, sources: GaugeSources): void {
  registry.gauges('build_info', 'The version that runs; always 1.', 'version', () => [[sources.version, 1]])
  registry.gauges('not_ready', 'Whether a reason not to take packets holds now.', 'reason', () =>
    Object.entries(sources.notReady()).map(([reason, holds]) => [reason, holds ? 1 : 0]),
  )
  registry.gauge('requests_in_flight', 'Requests whose answer is not taken yet.', sources.requestsInFlight)
  registry.gauge(
    'reads_held_bytes',
    'Bytes that reads hold until their answers are taken.',
    sources.untakenBytes,
  )
  registry.counter(
    'event_loop_busy_seconds_total',
    'Time that the main thread has worked; a rate near 1 means that it is saturated.',
    () => performance.eventLoopUtilization().active / 1000,
  )
}

function registerCalls(registry: MetricRegistry, sources: GaugeSources): void {
  registry.gauge('calls_active', 'Calls in memory.', sources.activeCalls)
  registry.gauge('calls_activating', 'Calls that are being replayed.', sources.activatingCalls)
  registry.gauge(
    'activation_queue_messages',
    'Messages that wait for their call to be loaded into memory.',
    sources.activationMessages,
  )
  registry.gauge('deadlines_armed', 'Deadlines in memory.', sources.armedDeadlines)
}

function registerJournal(registry: MetricRegistry, sources: GaugeSources): void {
  registry.gauge('journal_queue_entries', 'Appends that are not settled.', sources.queuedEntries)
  registry.gauge('journal_open_entries', 'Appends that wait for the next commit.', sources.openEntries)
  registry.gauge('journal_open_bytes', 'Bytes that wait for the next commit.', sources.openBytes)
  registry.gauge(
    'erasure_backlog_calls',
    'Erased calls whose bytes are still in the files.',
    sources.erasureBacklog,
  )
  registry.gauge(
    'oldest_ended_call_timestamp_seconds',
    'End time of the oldest ended call; 0 without such a call, or without erasing by age.',
    sources.oldestEndedCall,
  )
  registry.gauge('data_used_bytes', 'Files in the data folder.', () => sources.space().usedBytes)
  registry.gauge('data_free_bytes', 'Free space for the data folder.', () => sources.space().freeBytes)
}

function registerAnalyses(registry: MetricRegistry, sources: GaugeSources): void {
  registry.gauge('ai_parked_calls', 'Calls that wait for a provider that is down.', sources.parkedAttempts)
  registry.gauges(
    'ai_breaker',
    'State of the circuit breaker around the provider: 1 for the current state.',
    'state',
    () => breakerStates.map((state) => [state, state === sources.breakerState() ? 1 : 0]),
  )
  registry.gauge('analyses_running', 'Calls under analysis, waits included.', sources.runningAnalyses)
  registry.gauge('ai_attempts_running', 'Attempts at an analysis that hold a slot.', sources.runningAttempts)
  registry.gauge(
    'ai_attempts_waiting',
    'Attempts at an analysis that wait for a slot.',
    sources.waitingAttempts,
  )
}

function registerSupervisors(registry: MetricRegistry, sources: GaugeSources): void {
  registry.gauge('supervisors', 'Connected supervisor sockets.', sources.supervisors)
  registry.gauge(
    'supervisor_queued_bytes',
    'Event bytes that wait for slow readers.',
    sources.supervisorQueuedBytes,
  )
  registry.gauge('media_sockets', 'Open sockets of media streams.', sources.mediaSockets)
  registry.gauge(
    'listeners',
    'Live calls that are listened to, once for each who listens.',
    sources.listeners,
  )
  registry.gauge(
    'insight_channels',
    'Voices of running calls whose sound is looked at.',
    sources.insightChannels,
  )
  registry.counter(
    'insight_skipped_total',
    'Packets of audio that were not looked at, because the thread that does it had too much to do.',
    sources.insightSkipped,
  )
  registry.counter(
    'insight_deaths_total',
    'How often the thread that looks at the sound of calls has died.',
    sources.insightRestarts,
  )
  registry.counter('events_total', 'Events published, whether anybody listened or not.', sources.events)
}
