/**
 * The composition root: builds everything bottom-up and takes it apart top-down. The only importer of adapters.
 */
import { randomBytes } from 'node:crypto'
import pLimit, { type LimitFunction } from 'p-limit'
import { Compile } from 'typebox/compile'
import { Alarm } from './actors/alarm.js'
import { Analyses } from './actors/analysis.js'
import { CallRegistry } from './actors/call-registry.js'
import { DuplicateCheck } from './actors/duplicate-check.js'
import { EventFeed } from './actors/event-feed.js'
import { Retention } from './actors/retention.js'
import { ProviderBreaker } from './ai/breaker.js'
import { type AnalysisProvider, ProviderUnavailable } from './ai/provider.js'
import { type RetryPolicy, runWithRetry } from './ai/retry.js'
import { SimulatedProvider } from './ai/simulated-provider.js'
import { type Clock, rfc3339, systemClock } from './clock.js'
import type { Config } from './config.js'
import { Credentials } from './credentials.js'
import { checkExposure } from './exposure.js'
import { FolderSpace } from './folder-space.js'
import { administrationRoutes } from './http/administration.js'
import { callRoutes } from './http/calls.js'
import { createEntrance, type Entrance } from './http/entrance.js'
import { ingestRoutes } from './http/ingest.js'
import { type NotReadyReason, notReadyReasons, operationRoutes } from './http/operations.js'
import { Server } from './http/server.js'
import { SupervisorSockets, supervisorRoute } from './http/supervisor-socket.js'
import { ticketRoute } from './http/tickets.js'
import { limits } from './limits.js'
import type { Log } from './log.js'
import { Metrics } from './metrics.js'
import { AnalysisResult, type CallState } from './protocol/call.js'
import type { CallId } from './protocol/call-id.js'
import type { CallReader, LifecycleEntry, StoredPacket } from './store/journal.js'
import { SqliteJournal } from './store/sqlite/sqlite-journal.js'
import { version } from './version.js'

const dayMs = 86_400_000

export interface App {
  readonly host: string
  readonly port: number
  /** Reads the tokens file anew. Throws `ConfigError`, and everything stays as it is, when it is bad. */
  reloadCredentials(): void
  /** Answers what is in flight, journals every call, folds and checkpoints; resolves when nothing is left to lose. */
  stop(): Promise<void>
}

export interface AppPorts {
  readonly log: Log
  /** The store has failed: nothing more is acknowledged, and the process must end. */
  readonly onFatal: (error: Error) => void
}

/** Rejects with a message for people when the data folder or the port cannot be had. */
export async function startApp(config: Config, { log, onFatal }: AppPorts): Promise<App> {
  const app = new Composition(config, log, systemClock, onFatal)
  return app.start()
}

class Composition {
  readonly #config: Config
  readonly #log: Log
  readonly #clock: Clock
  readonly #onFatal: (error: Error) => void
  readonly #feed = new EventFeed(randomBytes(6).toString('base64url'), setImmediate)
  readonly #credentials: Credentials
  readonly #entrance: Entrance
  readonly #metrics: Metrics
  readonly #server: Server
  readonly #sockets: SupervisorSockets
  readonly #slots: LimitFunction
  readonly #space: FolderSpace
  #journal!: SqliteJournal
  #registry!: CallRegistry
  #alarm!: Alarm
  #breaker!: ProviderBreaker
  #analyses!: Analyses
  #duplicates!: DuplicateCheck
  #retention: Retention | null = null
  #state: 'starting' | 'serving' | 'store_failed' | 'draining' = 'starting'

  constructor(config: Config, log: Log, clock: Clock, onFatal: (error: Error) => void) {
    this.#config = config
    this.#log = log
    this.#clock = clock
    this.#onFatal = onFatal
    this.#credentials = new Credentials(config)
    this.#slots = pLimit(config.AI_CONCURRENCY)
    this.#space = new FolderSpace(config.DATA_DIR)
    this.#entrance = createEntrance({
      config,
      credentials: this.#credentials,
      clock,
      log,
      isDraining: () => this.#state === 'draining',
    })
    this.#metrics = this.#createMetrics()
    this.#server = new Server({
      log,
      gate: this.#entrance.gate,
      refusals: this.#entrance.refusals,
      tls: this.#entrance.tls,
      ended: (route, status, seconds) => this.#requestEnded(route, status, seconds),
      isCongested: () => {
        const { lagMs, commitMs } = this.#journal
        return lagMs > Math.max(limits.standingMsMax, limits.standingCommitsMax * commitMs)
      },
    })
    this.#sockets = new SupervisorSockets(this.#server.app, {
      feed: this.#feed,
      owner: this.#server,
      handshake: this.#entrance.handshake,
      dropped: () => {
        this.#metrics.counts.supervisorsDropped++
      },
    })
  }

  async start(): Promise<App> {
    const { HOST, PORT } = this.#config
    await this.#checkExposure()
    this.#journal = await this.#openJournal()
    this.#registry = this.#createRegistry()
    this.#breaker = this.#createBreaker()
    this.#analyses = this.#createAnalyses()
    this.#alarm = this.#createAlarm()
    this.#duplicates = this.#createDuplicateCheck()
    this.#metrics.setStates(await this.#journal.stateCounts())
    await this.#space.read()
    this.#serve()
    const port = await this.#listen(HOST, PORT)
    this.#alarm.start()
    this.#registry.startSweeping()
    this.#retention = this.#startRetention()
    this.#state = 'serving'
    return { host: HOST, port, stop: () => this.#stop(), reloadCredentials: () => this.#reloadCredentials() }
  }

  #reloadCredentials(): void {
    this.#credentials.reload()
    this.#sockets.closeRevoked()
  }

  async #checkExposure(): Promise<void> {
    const warnings = await checkExposure({
      host: this.#config.HOST,
      hasCredentials: !this.#credentials.isEmpty,
      allowsUnauthenticated: this.#config.ALLOW_UNAUTHENTICATED,
      hasTls: this.#entrance.tls !== null,
    })
    for (const warning of warnings) this.#log.warn(warning)
  }

  #openJournal(): Promise<SqliteJournal> {
    const { DATA_DIR, ACCEPT_DATA_LOSS, GRACE_PERIOD_MS, CALL_IDLE_TIMEOUT_MS, AI_BUDGET_MS } = this.#config
    return SqliteJournal.open({
      dataDir: DATA_DIR,
      acceptDataLoss: ACCEPT_DATA_LOSS,
      now: this.#clock.now(),
      dueWithin: {
        IN_PROGRESS: CALL_IDLE_TIMEOUT_MS,
        COMPLETED: GRACE_PERIOD_MS,
        PROCESSING_AI: AI_BUDGET_MS,
      },
      onFatal: (error) => {
        this.#state = 'store_failed'
        this.#onFatal(error)
      },
      onCommit: (commit) => this.#metrics.observeCommit(commit),
      onCheckpointFailed: (error) => {
        this.#metrics.counts.checkpointsFailed++
        this.#log.warn({ err: error }, 'a checkpoint failed; it is tried again')
      },
      onCommitFailed: (appends, error) => {
        this.#metrics.counts.commitsFailed++
        this.#metrics.counts.appendsFailed += appends
        this.#log.error({ err: error, appends }, 'a commit failed; its senders were told to send again')
      },
    })
  }

  #startRetention(): Retention | null {
    const { RETENTION_DAYS } = this.#config
    if (RETENTION_DAYS === 0) {
      this.#log.warn('calls are kept for ever: RETENTION_DAYS is 0')
      return null
    }
    const retention = new Retention({
      clock: this.#clock,
      reader: this.#journal,
      keepMs: RETENTION_DAYS * dayMs,
      erase: (callId, endedThrough) =>
        new Promise((answered, failed) =>
          this.#registry.tell(callId, { type: 'erase', endedThrough, replyTo: { answered, failed } }),
        ),
      passed: (calls) => this.#log.info({ calls }, 'calls were erased by their age'),
      failed: (error) =>
        this.#log.warn({ err: error }, 'calls could not be erased by their age; trying again'),
    })
    retention.start()
    return retention
  }

  /** The erasure is committed: nothing in memory may go on for the call, or keep it. */
  #erased(callId: CallId, state: CallState): void {
    this.#alarm.disarm(callId)
    this.#analyses.forget(callId)
    this.#metrics.erased(state)
    this.#feed.publish({ event: 'call_deleted', at: rfc3339(this.#clock.now()), call_id: callId })
  }

  #bulkEntriesMax(): number {
    return Math.max(limits.bulkQueueEntriesMin, limits.bulkQueueEntriesPerCommitMs * this.#journal.commitMs)
  }

  async #listen(host: string, port: number): Promise<number> {
    try {
      return await this.#server.listen(host, port)
    } catch (error) {
      await this.#journal.close()
      throw error
    }
  }

  #createRegistry(): CallRegistry {
    const { GRACE_PERIOD_MS, CALL_IDLE_TIMEOUT_MS } = this.#config
    const registryPorts = {
      journal: this.#journal,
      reader: this.#journal,
      clock: this.#clock,
      failed: (error: unknown) => this.#log.error({ err: error }, 'a call could not be activated'),
    }
    return new CallRegistry(registryPorts, {
      journal: this.#journal,
      clock: this.#clock,
      graceMs: GRACE_PERIOD_MS,
      idleMs: CALL_IDLE_TIMEOUT_MS,
      publish: (event) => this.#feed.publish(event),
      publishPacket: (facts) => this.#feed.publishPacket(facts),
      arm: (callId, dueAt) => this.#alarm.arm(callId, dueAt),
      analyse: (callId, facts) => this.#analyses.start(callId, facts),
      stateChanged: (from, to, context) => this.#metrics.stateChanged(from, to, context),
      late: () => {
        this.#metrics.counts.packetsLate++
      },
      erased: (callId, state) => this.#erased(callId, state),
      duplicate: (callId, packet) => this.#duplicates.add(callId, packet),
    })
  }

  #createAlarm(): Alarm {
    return new Alarm({
      clock: this.#clock,
      reader: this.#journal,
      ring: (callId, done) =>
        this.#registry.tell(callId, {
          type: 'deadline',
          replyTo: { answered: () => done(true), failed: () => done(false) },
        }),
      readFailed: (error) => this.#log.warn({ err: error }, 'deadlines could not be read; trying again'),
    })
  }

  #createAnalyses(): Analyses {
    const { AI_MAX_ATTEMPTS, AI_BUDGET_MS, AI_BACKOFF_BASE_MS, AI_ATTEMPT_TIMEOUT_MS } = this.#config
    const policy: RetryPolicy = {
      attemptsMax: AI_MAX_ATTEMPTS,
      budgetMs: AI_BUDGET_MS,
      backoffBaseMs: AI_BACKOFF_BASE_MS,
      attemptMsMax: AI_ATTEMPT_TIMEOUT_MS,
    }
    const resultCheck = Compile(AnalysisResult)
    return new Analyses({
      clock: this.#clock,
      provider: this.#createProvider(),
      admit: (attempt, signal) => this.#breaker.guard(attempt, signal),
      isProviderDown: () => this.#breaker.state !== 'closed',
      suspectProvider: () => this.#breaker.suspect(),
      retry: (task, before, signal) => runWithRetry(task, policy, before, this.#clock, signal),
      record: (callId, entry) => this.#record(callId, entry),
      read: (callId, look) => this.#registry.read(callId, look),
      packets: (callId) => allPackets(this.#journal, callId),
      check: (answer) => {
        if (resultCheck.Check(answer)) return answer
        throw new ProviderUnavailable('the provider’s answer is not a result')
      },
      postpone: (callId, delayMs) => this.#alarm.arm(callId, this.#clock.now() + delayMs),
      attemptEnded: (outcome, durationMs) => this.#metrics.observeAttempt(outcome, durationMs),
      attemptReleased: () => {
        this.#metrics.counts.attemptsReleased++
      },
      interrupted: (callId, error) => {
        if (this.#state === 'serving')
          this.#log.warn({ call_id: callId, err: error }, 'an analysis was broken off; it goes on later')
      },
    })
  }

  #createBreaker(): ProviderBreaker {
    const { AI_BREAKER_FAILURES, AI_BREAKER_PROBE_MS } = this.#config
    const policy = { failuresMax: AI_BREAKER_FAILURES, probeMs: AI_BREAKER_PROBE_MS }
    return new ProviderBreaker(policy, {
      clock: this.#clock,
      withSlot: (attempt) => this.#slots(attempt),
      opened: (reason) => {
        this.#metrics.counts.breakerOpens++
        this.#log.error({ reason }, 'the AI provider is down; calls wait for it')
      },
      closed: (downMs) => this.#log.info({ down_ms: downMs }, 'the AI provider answers again; calls go on'),
    })
  }

  #createProvider(): AnalysisProvider {
    const {
      AI_SIMULATED_FAILURE_RATE,
      AI_SIMULATED_LATENCY_MIN_MS,
      AI_SIMULATED_LATENCY_MAX_MS,
      AI_SIMULATED_SEED,
    } = this.#config
    return new SimulatedProvider({
      failureRate: AI_SIMULATED_FAILURE_RATE,
      latencyMinMs: AI_SIMULATED_LATENCY_MIN_MS,
      latencyMaxMs: AI_SIMULATED_LATENCY_MAX_MS,
      seed: AI_SIMULATED_SEED,
    })
  }

  #record(callId: CallId, entry: LifecycleEntry): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#registry.tell(callId, { type: 'record', entry, replyTo: { answered: resolve, failed: reject } })
    })
  }

  #createDuplicateCheck(): DuplicateCheck {
    return new DuplicateCheck({
      reader: this.#journal,
      unchecked: () => {
        this.#metrics.counts.duplicatesUnchecked++
      },
      differs: (callId, sequence) => {
        this.#metrics.counts.duplicateMismatches++
        this.#log.warn(
          { call_id: callId, sequence },
          'a duplicate has other content than the stored packet; the first stays',
        )
      },
    })
  }

  #createMetrics(): Metrics {
    // Nobody reads them before everything stands and is served.
    return new Metrics({
      version,
      activeCalls: () => this.#registry.activeCount,
      activeCallsByState: () => this.#registry.activeByState,
      activatingCalls: () => this.#registry.activatingCount,
      activationMessages: () => this.#registry.waitingMessages,
      armedDeadlines: () => this.#alarm.armedCount,
      runningAnalyses: () => this.#analyses.runningCount,
      runningAttempts: () => this.#slots.activeCount,
      waitingAttempts: () => this.#slots.pendingCount,
      breakerState: () => this.#breaker.state,
      parkedAttempts: () => this.#breaker.parkedCount,
      supervisors: () => this.#sockets.count,
      supervisorQueuedBytes: () => this.#sockets.queuedBytes,
      events: () => this.#feed.offset,
      requestsInFlight: () => this.#server.inFlightCount,
      queuedEntries: () => this.#journal.queuedEntries,
      openEntries: () => this.#journal.openEntries,
      openBytes: () => this.#journal.queuedBytes,
      space: () => this.#space.latest,
      notReady: () => {
        const reasons = this.#notReady()
        return Object.fromEntries(notReadyReasons.map((reason) => [reason, reasons.includes(reason)]))
      },
      erasureBacklog: () => this.#journal.erasureBacklog,
      oldestEndedCall: () => (this.#retention?.oldestEndedAt ?? 0) / 1000,
    })
  }

  #serve(): void {
    this.#server.serve([
      ...ingestRoutes({
        registry: this.#registry,
        hasRoom: () =>
          this.#hasRoom() &&
          this.#journal.openEntries < this.#bulkEntriesMax() &&
          this.#journal.queuedEntries < limits.journalQueueEntriesMax,
        countLines: (result) => {
          for (const status of ['accepted', 'duplicate', 'rejected', 'invalid'] as const)
            this.#metrics.packets[status] += result[status]
        },
        countPacket: (status) => {
          this.#metrics.packets[status]++
        },
      }),
      ...callRoutes({
        registry: this.#registry,
        reader: this.#journal,
        waitingFor: (callId) => this.#analyses.waitingFor(callId),
      }),
      ...administrationRoutes({
        registry: this.#registry,
        countRedrive: () => {
          this.#metrics.counts.redrives++
        },
      }),
      supervisorRoute,
      ticketRoute(this.#entrance.tickets),
      ...operationRoutes({
        notReady: () => this.#notReady(),
        metricsArePublic: this.#config.METRICS_PUBLIC,
        metricsType: this.#metrics.contentType,
        metrics: () => this.#metrics.text(),
      }),
    ])
  }

  #hasRoom(): boolean {
    return this.#journal.hasRoom(limits.dataBytesMax)
  }

  #notReady(): readonly NotReadyReason[] {
    const reasons: NotReadyReason[] = []
    if (this.#state !== 'serving') reasons.push(this.#state)
    if (!this.#hasRoom()) reasons.push('journal_full')
    if (this.#server.isOverloaded) reasons.push('overloaded')
    return reasons
  }

  #requestEnded(route: string, status: number, seconds: number): void {
    this.#metrics.countResponse(status)
    if (route.startsWith('/v1/')) this.#metrics.observeRequest(route, seconds)
  }

  async #stop(): Promise<void> {
    this.#state = 'draining'
    this.#sockets.closeAll()
    await this.#server.drain(limits.drainMsMax)
    this.#alarm.stop()
    this.#registry.stopSweeping()
    await this.#retention?.stop()
    await this.#analyses.stop()
    await this.#registry.passivateAll()
    await this.#journal.close()
    this.#server.close()
  }
}

async function* allPackets(reader: CallReader, callId: CallId): AsyncIterable<StoredPacket> {
  for (let from: number | null = 0; from !== null; ) {
    const page: Awaited<ReturnType<CallReader['packets']>> = await reader.packets(
      callId,
      from,
      limits.packetsPageMax,
    )
    yield* page.packets
    from = page.nextFrom
  }
}
