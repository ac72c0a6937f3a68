/**
 * From a configuration to a running service, and back: journal, feed, calls, server, each built on those before it, and
 * taken apart from the top. What belongs together is wired in composition/; nothing else but cli/ imports adapters.
 */
import { randomBytes } from 'node:crypto'
import { type Clock, systemClock } from './clock.js'
import { CallActors } from './composition/call-actors.js'
import { FullDisk } from './composition/full-disk.js'
import { gaugeSources } from './composition/gauge-sources.js'
import { createInsights } from './composition/insights.js'
import { openJournal } from './composition/journal.js'
import { createMedia, type MediaInputs } from './composition/media.js'
import { createProvider } from './composition/provider.js'
import { createRoutes } from './composition/routes.js'
import type { Config } from './config/config.js'
import { type Credential, Credentials } from './config/credentials.js'
import { checkExposure } from './config/listening-rules.js'
import { Supervision } from './feed/supervision.js'
import { createEntrance, type Entrance } from './http/gate/entrance.js'
import { Listening } from './http/routes/listening.js'
import type { NotReadyReason } from './http/routes/operations.js'
import { Server } from './http/server.js'
import { SupervisorSockets } from './http/sockets/supervisor-socket.js'
import type { CallInsights } from './insight/call-insights.js'
import { limits } from './limits.js'
import type { Log } from './log.js'
import { FolderSpace } from './metrics/folder-space.js'
import { Metrics } from './metrics/metrics.js'
import type { ServiceJournal } from './store/service-journal.js'
import { spaceRefusal } from './store/sqlite/files/free-space.js'

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
  const clock = systemClock
  const life = new Life()
  const metrics = new Metrics()
  const base = { config, clock, log, metrics }
  const credentials = new Credentials(config)
  const provider = createProvider(config)
  const entrance = createEntrance({ config, credentials, clock, log, isDraining: () => life.is('draining') })
  await warnOfExposure(config, credentials, entrance, log)

  const space = new FolderSpace(config.DATA_DIR)
  const fullDisk = new FullDisk({
    hasSpace: async () => (await spaceRefusal(config.DATA_DIR)) === null,
    later: (delayMs, task) => void setTimeout(task, delayMs).unref(),
  })
  const insights = createInsights({ ...base, record: (life, entry) => calls.record(life, entry) })
  const journal = await openJournal({
    ...base,
    fullDisk,
    onFatal: (error) => {
      life.state = 'store_failed'
      onFatal(error)
    },
    commitFailed: () => insights?.commitFailed(),
  })
  metrics.setStates(await journal.stateCounts())
  await space.read()

  const run = randomBytes(6).toString('base64url')
  const supervision = createSupervision(run, journal, metrics, clock, log)
  const isServing = () => life.is('serving')
  const ports = { ...base, provider, journal, supervision, insights, run, isServing }
  const calls = new CallActors(ports)
  await supervision.start(calls.registry)

  const server = createServer(entrance, journal, metrics, log)
  const sockets = createSockets(server, supervision, entrance, metrics, clock)
  const media = createMedia({ ...base, server, entrance, calls })
  const listening = createListening(calls, {
    journal,
    credentials,
    log,
    isDraining: () => life.is('draining'),
  })
  const notReady = () => notReadyReasonsOf(life, fullDisk, journal, server)
  const own = { entrance, journal, calls, insights, supervision, media, listening, notReady }
  const parts = { ...base, ...own }
  metrics.watch(gaugeSources({ ...parts, space, feed: supervision.feed, server, sockets }))
  server.serve(createRoutes(parts))

  const port = await listen(server, journal, config)
  await media.listen()
  calls.start()
  life.state = 'serving'
  return {
    host: config.HOST,
    port,
    reloadCredentials() {
      credentials.reload()
      for (const inputs of [sockets, media]) inputs.closeRevoked()
    },
    stop() {
      life.state = 'draining'
      sockets.closeAll()
      return stopAll({ media, supervision, server, calls, insights, journal })
    },
  }
}

interface ListeningParts {
  readonly journal: ServiceJournal
  readonly credentials: Credentials
  readonly log: Log
  isDraining(): boolean
}

function createListening({ registry }: CallActors, parts: ListeningParts): Listening {
  const { journal, credentials, log, isDraining } = parts
  const isRevoked = (credential: Credential) => !credentials.holds(credential)
  return new Listening({ registry, reader: journal, log, isDraining, isRevoked })
}

interface StoppedParts {
  readonly media: MediaInputs
  readonly supervision: Supervision
  readonly server: Server
  readonly calls: CallActors
  readonly insights: CallInsights | null
  readonly journal: ServiceJournal
}

/** From the top: nothing new comes in, what is in flight is settled, every call is in the journal, and the store closes. */
async function stopAll({
  media,
  supervision,
  server,
  calls,
  insights,
  journal,
}: StoppedParts): Promise<void> {
  media.closeAll()
  supervision.stop()
  await server.drain(limits.drainMsMax)
  await media.settled(limits.drainMsMax / 4)
  await insights?.stop()
  await calls.stop()
  await journal.close()
  server.close()
}

class Life {
  state: 'starting' | 'serving' | 'store_failed' | 'draining' = 'starting'

  is(state: Life['state']): boolean {
    return this.state === state
  }
}

async function warnOfExposure(
  config: Config,
  credentials: Credentials,
  entrance: Entrance,
  log: Log,
): Promise<void> {
  const warnings = await checkExposure({
    host: config.HOST,
    hasCredentials: !credentials.isEmpty,
    allowsUnauthenticated: config.ALLOW_UNAUTHENTICATED,
    hasTls: entrance.tls !== null,
  })
  for (const warning of warnings) log.warn(warning)
}

function createSupervision(
  epoch: string,
  journal: ServiceJournal,
  metrics: Metrics,
  clock: Clock,
  log: Log,
): Supervision {
  return new Supervision({
    epoch,
    clock,
    soon: setImmediate,
    later: (delayMs, task) => void setTimeout(task, delayMs),
    reader: journal,
    callsIn: (state) => metrics.callsIn(state),
    failed: (error) => log.error({ err: error }, 'the current calls could not be read for supervisors'),
  })
}

function createServer(entrance: Entrance, journal: ServiceJournal, metrics: Metrics, log: Log): Server {
  return new Server({
    log,
    gate: entrance.gate,
    refusals: entrance.refusals,
    tls: entrance.tls,
    ended: (route, status, seconds) => {
      metrics.countResponse(status)
      if (route.startsWith('/v1/')) metrics.observeRequest(route, seconds)
    },
    isCongested: () => {
      const { lagMs, commitMs } = journal.commits
      return lagMs > Math.max(limits.standingMsMax, limits.standingCommitsMax * commitMs)
    },
  })
}

function createSockets(
  server: Server,
  { feed, floor, snapshots }: Supervision,
  { handshake }: Entrance,
  metrics: Metrics,
  clock: Clock,
): SupervisorSockets {
  const dropped = () => {
    metrics.counts.supervisorsDropped++
  }
  return new SupervisorSockets(server.app, {
    feed,
    floor,
    snapshots,
    clock,
    owner: server,
    handshake,
    dropped,
  })
}

async function listen(server: Server, journal: ServiceJournal, { HOST, PORT }: Config): Promise<number> {
  try {
    return await server.listen(HOST, PORT)
  } catch (error) {
    await journal.close()
    throw error
  }
}

function notReadyReasonsOf(
  life: Life,
  fullDisk: FullDisk,
  journal: ServiceJournal,
  server: Server,
): readonly NotReadyReason[] {
  const reasons: NotReadyReason[] = []
  const { state } = life
  if (state !== 'serving') reasons.push(state)
  if (fullDisk.isFull) reasons.push('disk_full')
  if (!journal.hasRoom(limits.dataBytesMax)) reasons.push('journal_full')
  if (server.isOverloaded) reasons.push('overloaded')
  return reasons
}
