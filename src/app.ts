/**
 * From a configuration to a running service, and back: builds everything bottom-up and takes it apart top-down. What
 * belongs together is wired in composition/; nothing else but cli/ imports adapters.
 */
import { randomBytes } from 'node:crypto'
import type { AnalysisProvider } from './analysis/provider.js'
import { type Clock, systemClock } from './clock.js'
import { CallActors } from './composition/call-actors.js'
import { FullDisk } from './composition/full-disk.js'
import { gaugeSources } from './composition/gauge-sources.js'
import { openJournal } from './composition/journal.js'
import { createProvider } from './composition/provider.js'
import { createRoutes } from './composition/routes.js'
import type { Config } from './config/config.js'
import { Credentials } from './config/credentials.js'
import { checkExposure } from './config/listening-rules.js'
import { Supervision } from './feed/supervision.js'
import { createEntrance, type Entrance } from './http/gate/entrance.js'
import type { NotReadyReason } from './http/routes/operations.js'
import { Server } from './http/server.js'
import { SupervisorSockets } from './http/sockets/supervisor-socket.js'
import { limits } from './limits.js'
import type { Log } from './log.js'
import { FolderSpace } from './metrics/folder-space.js'
import { Metrics } from './metrics/metrics.js'
import type { SqliteJournal } from './store/sqlite/sqlite-journal.js'

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
  readonly #supervision: Supervision
  readonly #credentials: Credentials
  readonly #provider: AnalysisProvider
  readonly #entrance: Entrance
  readonly #metrics: Metrics
  readonly #server: Server
  readonly #sockets: SupervisorSockets
  readonly #space: FolderSpace
  readonly #fullDisk: FullDisk
  #journal!: SqliteJournal
  #calls!: CallActors
  #state: 'starting' | 'serving' | 'store_failed' | 'draining' = 'starting'

  /** What needs no store. It is asked for nothing before `start` has built the rest. */
  constructor(config: Config, log: Log, clock: Clock, onFatal: (error: Error) => void) {
    this.#config = config
    this.#log = log
    this.#clock = clock
    this.#onFatal = onFatal
    this.#credentials = new Credentials(config)
    this.#provider = createProvider(config)
    this.#space = new FolderSpace(config.DATA_DIR)
    this.#fullDisk = new FullDisk({
      look: () => this.#space.look(),
      later: (delayMs, task) => void setTimeout(task, delayMs).unref(),
    })
    this.#entrance = createEntrance({
      config,
      credentials: this.#credentials,
      clock,
      log,
      isDraining: () => this.#state === 'draining',
    })
    this.#supervision = this.#createSupervision()
    this.#metrics = this.#createMetrics()
    this.#server = this.#createServer()
    this.#sockets = new SupervisorSockets(this.#server.app, {
      feed: this.#supervision.feed,
      floor: this.#supervision.floor,
      snapshots: this.#supervision.snapshots,
      clock,
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
    this.#calls = this.#createCalls()
    this.#metrics.setStates(await this.#journal.stateCounts())
    await this.#supervision.start()
    await this.#space.read()
    this.#serve()
    const port = await this.#listen(HOST, PORT)
    this.#calls.start()
    this.#state = 'serving'
    return { host: HOST, port, stop: () => this.#stop(), reloadCredentials: () => this.#reloadCredentials() }
  }

  async #stop(): Promise<void> {
    this.#state = 'draining'
    this.#sockets.closeAll()
    this.#supervision.stop()
    await this.#server.drain(limits.drainMsMax)
    await this.#calls.stop()
    await this.#journal.close()
    this.#server.close()
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

  #createSupervision(): Supervision {
    return new Supervision({
      epoch: randomBytes(6).toString('base64url'),
      clock: this.#clock,
      soon: setImmediate,
      later: (delayMs, task) => void setTimeout(task, delayMs),
      reader: () => this.#journal,
      registry: () => this.#calls.registry,
      callsIn: (state) => this.#metrics.callsIn(state),
      failed: (error) =>
        this.#log.error({ err: error }, 'the current calls could not be read for supervisors'),
    })
  }

  #createMetrics(): Metrics {
    return new Metrics(
      gaugeSources({
        space: this.#space,
        feed: this.#supervision.feed,
        journal: () => this.#journal,
        calls: () => this.#calls,
        server: () => this.#server,
        sockets: () => this.#sockets,
        notReady: () => this.#notReady(),
      }),
    )
  }

  #createServer(): Server {
    return new Server({
      log: this.#log,
      gate: this.#entrance.gate,
      refusals: this.#entrance.refusals,
      tls: this.#entrance.tls,
      ended: (route, status, seconds) => this.#requestEnded(route, status, seconds),
      isCongested: () => {
        const { lagMs, commitMs } = this.#journal.commits
        return lagMs > Math.max(limits.standingMsMax, limits.standingCommitsMax * commitMs)
      },
    })
  }

  #openJournal(): Promise<SqliteJournal> {
    return openJournal({
      config: this.#config,
      clock: this.#clock,
      log: this.#log,
      metrics: this.#metrics,
      fullDisk: this.#fullDisk,
      onFatal: (error) => {
        this.#state = 'store_failed'
        this.#onFatal(error)
      },
    })
  }

  #createCalls(): CallActors {
    return new CallActors({
      config: this.#config,
      provider: this.#provider,
      clock: this.#clock,
      log: this.#log,
      metrics: this.#metrics,
      journal: this.#journal,
      supervision: this.#supervision,
      isServing: () => this.#state === 'serving',
    })
  }

  #serve(): void {
    this.#server.serve(
      createRoutes({
        config: this.#config,
        clock: this.#clock,
        entrance: this.#entrance,
        metrics: this.#metrics,
        journal: this.#journal,
        calls: this.#calls,
        supervision: this.#supervision,
        notReady: () => this.#notReady(),
      }),
    )
  }

  async #listen(host: string, port: number): Promise<number> {
    try {
      return await this.#server.listen(host, port)
    } catch (error) {
      await this.#journal.close()
      throw error
    }
  }

  #notReady(): readonly NotReadyReason[] {
    const reasons: NotReadyReason[] = []
    if (this.#state !== 'serving') reasons.push(this.#state)
    if (this.#fullDisk.isFull) reasons.push('disk_full')
    if (!this.#journal.hasRoom(limits.dataBytesMax)) reasons.push('journal_full')
    if (this.#server.isOverloaded) reasons.push('overloaded')
    return reasons
  }

  #requestEnded(route: string, status: number, seconds: number): void {
    this.#metrics.countResponse(status)
    if (route.startsWith('/v1/')) this.#metrics.observeRequest(route, seconds)
  }
}
