/** The ways in over sockets of platforms and PBXs. */
import { hash, randomUUID } from 'node:crypto'
import { statSync } from 'node:fs'
import { openLegs } from '../actors/call-legs.js'
import type { CallMachineSnapshot } from '../actors/call-machine.js'
import type { CallRegistry } from '../actors/call-registry.js'
import type { Clock } from '../clock.js'
import type { Config } from '../config/config.js'
import type { Entrance } from '../http/gate/entrance.js'
import type { Server } from '../http/server.js'
import { AriSockets } from '../http/sockets/ari-sockets.js'
import { MediaSockets, mediaRoute } from '../http/sockets/media-sockets.js'
import { limits } from '../limits.js'
import type { Log } from '../log.js'
import { AudioSocketServer } from '../media/audiosocket-server.js'
import { namedCall } from '../media/media-call.js'
import type { SessionPorts } from '../media/media-session.js'
import type { TrackAccount } from '../media/native/native-session.js'
import type { Metrics } from '../metrics/metrics.js'
import type { CallId } from '../protocol/call-id.js'
import type { LegEnd } from '../store/journal.js'
import { databasePath } from '../store/sqlite/files/database.js'
import type { CallActors } from './call-actors.js'

export interface MediaParts {
  readonly config: Config
  readonly server: Server
  readonly entrance: Entrance
  readonly calls: CallActors
  readonly metrics: Metrics
  readonly clock: Clock
  readonly log: Log
}

/** All sockets that bring audio. */
export interface MediaInputs {
  /** Open sockets. */
  readonly count: number
  /** Rejects when a port cannot be had. */
  listen(): Promise<void>
  /** Their calls go on with another stream, in the next process. */
  closeAll(): void
  /** After a reload of the credentials. */
  closeRevoked(): void
  /** A platform says it of a stream by another way than its socket. Resolves when that is on disk, or soon will be. */
  streamEnded(call: string, stream: string, why: LegEnd): Promise<void>
  /** Resolves when what came is settled, at the latest after `withinMs`. */
  settled(withinMs: number): Promise<void>
}

const statuses = { accepted: 'accepted', duplicates: 'duplicate', rejected: 'rejected' } as const
const settledLookMs = 10

export function createMedia(parts: MediaParts): MediaInputs {
  const { config, server, entrance, calls, metrics, log } = parts
  const ports = sessionPorts(parts)
  const sockets = new MediaSockets(server.app, {
    ...ports,
    owner: server,
    handshake: entrance.mediaHandshake,
    epoch: epochOf(config.DATA_DIR),
    account: (callId, track) => calls.registry.read(callId, (state) => accountOf(state, track)),
    refused: (reason, address) => {
      metrics.counts.streamsRefused++
      log.warn({ route: mediaRoute.path, address, reason }, 'refused')
    },
  })
  const audioSockets = new AudioSocketServer({
    ...ports,
    rules: { codec: config.AUDIOSOCKET_CODEC, hasLegDigit: config.AUDIOSOCKET_PAIRS },
  })
  const ari = new AriSockets(server.app, {
    ...ports,
    owner: server,
    handshake: entrance.mediaHandshake,
    options: {
      mediaClient: config.ARI_MEDIA_CLIENT,
      contexts: config.ARI_CONTEXTS.split(',').flatMap((name) => (name.trim() === '' ? [] : [name.trim()])),
      share: config.ARI_SHARE,
    },
  })
  return {
    get count() {
      return sockets.count + audioSockets.count
    },
    async listen() {
      if (config.AUDIOSOCKET_PORT === 0) return
      const port = await audioSockets.listen(config.AUDIOSOCKET_HOST, config.AUDIOSOCKET_PORT)
      log.info({ host: config.AUDIOSOCKET_HOST, port }, 'listening for AudioSocket')
    },
    closeAll() {
      ari.closeAll()
      sockets.closeAll()
      audioSockets.closeAll()
    },
    closeRevoked() {
      ari.closeRevoked()
      sockets.closeRevoked()
    },
    async streamEnded(call, stream, why) {
      // Its socket may still have audio of it.
      if (sockets.endsSoon(stream)) return
      await endLegs(calls.registry, namedCall([call], randomUUID).callId, stream, why)
    },
    async settled(withinMs) {
      const until = performance.now() + withinMs
      while ((sockets.isBusy || audioSockets.isBusy) && performance.now() < until)
        await new Promise((resolve) => setTimeout(resolve, settledLookMs))
    },
  }
}

/** Of a stream without a socket: another process of ours had it. */
async function endLegs(registry: CallRegistry, callId: CallId, stream: string, why: LegEnd): Promise<void> {
  const legs = await registry.read(callId, ({ context }) =>
    openLegs(context).filter(({ leg }) => leg.startsWith(`${stream}-`)),
  )
  const told = (legs ?? []).map(
    ({ leg }) =>
      new Promise<boolean>((answered, failed) =>
        registry.tell(callId, { type: 'leg-end', leg, why, totals: null, replyTo: { answered, failed } }),
      ),
  )
  await Promise.all(told)
}

function sessionPorts({
  calls,
  metrics,
  clock,
  log,
}: MediaParts): Omit<SessionPorts, 'send' | 'close' | 'admits' | 'refused'> {
  return {
    clock,
    held: { bytes: 0 },
    tell: (callId, message) => calls.registry.tell(callId, message),
    counted: (count, packets) => {
      if (count === 'shed') metrics.counts.packetsShed += packets
      else metrics.packets[statuses[count]] += packets
    },
    settledAfter: (dialect, ms) => metrics.observeMedia(dialect, ms),
    warn: (reason, callId) =>
      log.warn(
        callId === null ? { reason } : { call_id: callId, reason },
        'a media stream is not as expected',
      ),
  }
}

/** Of the database file: another one has not what was acknowledged into this one. */
function epochOf(dataDir: string): string {
  const { ino, birthtimeNs } = statSync(databasePath(dataDir), { bigint: true })
  return hash('sha256', `${ino} ${birthtimeNs}`, 'base64url').slice(0, 12)
}

function accountOf({ context }: CallMachineSnapshot, track: number): TrackAccount {
  const log = context.logs.of(track)
  const { ranges, nextFrom } = log?.missingRanges(0, limits.gapRangesListedMax) ?? {
    ranges: [],
    nextFrom: null,
  }
  return {
    next: (log?.highestSequence ?? -1) + 1,
    missing: ranges.map(({ first, last }) => [first, last] as const),
    missingCount: log?.missingCount ?? 0,
    more: nextFrom !== null,
  }
}
