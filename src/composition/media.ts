/** The ways in over sockets of platforms and PBXs. */
import { hash } from 'node:crypto'
import { statSync } from 'node:fs'
import type { CallMachineSnapshot } from '../actors/call-machine.js'
import type { Clock } from '../clock.js'
import type { Config } from '../config/config.js'
import type { Entrance } from '../http/gate/entrance.js'
import type { Server } from '../http/server.js'
import { AriSockets } from '../http/sockets/ari-sockets.js'
import { MediaSockets } from '../http/sockets/media-sockets.js'
import { limits } from '../limits.js'
import type { Log } from '../log.js'
import { AudioSocketServer } from '../media/audiosocket-server.js'
import type { SessionPorts } from '../media/media-session.js'
import type { TrackAccount } from '../media/native/native-session.js'
import type { Metrics } from '../metrics/metrics.js'
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
  /** Resolves when what came is settled, at the latest after `withinMs`. */
  settled(withinMs: number): Promise<void>
}

const statuses = { accepted: 'accepted', duplicates: 'duplicate', rejected: 'rejected' } as const
const settledLookMs = 10

export function createMedia(parts: MediaParts): MediaInputs {
  const { config, server, entrance, calls, log } = parts
  const ports = sessionPorts(parts)
  const sockets = new MediaSockets(server.app, {
    ...ports,
    owner: server,
    handshake: entrance.mediaHandshake,
    epoch: epochOf(config.DATA_DIR),
    account: (callId, track) => calls.registry.read(callId, (state) => accountOf(state, track)),
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
    async settled(withinMs) {
      const until = performance.now() + withinMs
      while ((sockets.isBusy || audioSockets.isBusy) && performance.now() < until)
        await new Promise((resolve) => setTimeout(resolve, settledLookMs))
    },
  }
}

function sessionPorts({
  calls,
  metrics,
  clock,
  log,
}: MediaParts): Omit<SessionPorts, 'send' | 'close' | 'admits'> {
  return {
    clock,
    held: { bytes: 0 },
    tell: (callId, message) => calls.registry.tell(callId, message),
    counted: (count, packets) => {
      if (count === 'shed') metrics.counts.packetsShed += packets
      else metrics.packets[statuses[count]] += packets
    },
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
