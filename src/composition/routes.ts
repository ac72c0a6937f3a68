/** The table of all routes, wired to the parts that answer them. */

import type { Clock } from '../clock.js'
import type { Config } from '../config/config.js'
import { redactionOf } from '../config/redaction-setting.js'
import type { Supervision } from '../feed/supervision.js'
import type { Entrance } from '../http/gate/entrance.js'
import { ticketRoute } from '../http/gate/tickets.js'
import { administrationRoutes } from '../http/routes/administration.js'
import { acknowledgeRoute } from '../http/routes/alerts.js'
import { startRoute } from '../http/routes/call-start.js'
import { callRoutes } from '../http/routes/calls.js'
import { floorRoute } from '../http/routes/floor.js'
import { ingestRoutes } from '../http/routes/ingest.js'
import type { Listening } from '../http/routes/listening.js'
import { type NotReadyReason, operationRoutes } from '../http/routes/operations.js'
import { RecordingMasks } from '../http/routes/recording-masks.js'
import { recordingRoute } from '../http/routes/recordings.js'
import { streamStatusRoute } from '../http/routes/stream-status.js'
import { transcriptRoute } from '../http/routes/transcripts.js'
import type { Route } from '../http/routes.js'
import { ariRoute } from '../http/sockets/ari-sockets.js'
import { mediaRoute } from '../http/sockets/media-sockets.js'
import { supervisorRoute } from '../http/sockets/supervisor-socket.js'
import type { CallInsights } from '../insight/call-insights.js'
import { limits } from '../limits.js'
import type { Log } from '../log.js'
import type { Metrics } from '../metrics/metrics.js'
import type { ServiceJournal } from '../store/service-journal.js'
import type { CallActors } from './call-actors.js'
import { heardOf } from './insights.js'
import type { MediaInputs } from './media.js'

export interface RouteParts {
  readonly config: Config
  readonly clock: Clock
  readonly entrance: Entrance
  readonly metrics: Metrics
  readonly journal: ServiceJournal
  readonly calls: CallActors
  readonly insights: CallInsights | null
  readonly supervision: Supervision
  readonly media: MediaInputs
  readonly listening: Listening
  readonly log: Log
  notReady(): readonly NotReadyReason[]
}

export function createRoutes(parts: RouteParts): readonly Route[] {
  const {
    config,
    clock,
    entrance,
    metrics,
    journal,
    calls,
    insights,
    supervision,
    media,
    listening,
    notReady,
  } = parts
  const masks = createMasks(parts)
  return [
    ...createIngestRoutes(parts),
    startRoute(calls.registry),
    ...callRoutes({
      registry: calls.registry,
      reader: journal,
      waitingFor: (callId) => calls.analysis.analyses.waitingFor(callId),
      listenersOf: (callId) => (config.LISTEN_NOTICE ? listening.listenersOf(callId) : null),
      heard: (callId) => heardOf(insights, callId),
      now: () => clock.now(),
      assertUnmasked: (exchange, callId) => masks.assertUnmasked(exchange, callId),
    }),
    acknowledgeRoute(calls.registry),
    recordingRoute({ registry: calls.registry, reader: journal, listening, masks }),
    transcriptRoute(calls.registry, journal),
    ...administrationRoutes({
      registry: calls.registry,
      countRedrive: () => {
        metrics.counts.redrives++
      },
    }),
    mediaRoute,
    streamStatusRoute({
      gate: entrance.gate,
      proofs: entrance.proofs,
      streamEnded: (call, stream, why) => media.streamEnded(call, stream, why),
    }),
    ariRoute,
    supervisorRoute,
    floorRoute(() => supervision.floorNow()),
    ticketRoute(entrance.tickets),
    ...operationRoutes({
      notReady,
      metricsArePublic: config.METRICS_PUBLIC,
      metricsType: metrics.contentType,
      metrics: () => metrics.text(),
    }),
  ]
}

function createMasks({ config, journal, log }: RouteParts): RecordingMasks {
  return new RecordingMasks({
    rules: redactionOf(config),
    reader: journal,
    unmasked: ({ route, credential }, callId) =>
      log.info(
        { route, call_id: callId, ...(credential === null ? {} : { credential: credential.name }) },
        'a call is read without its masks',
      ),
  })
}

function createIngestRoutes({ metrics, journal, calls }: RouteParts): readonly Route[] {
  const bulkEntriesMax = () =>
    Math.max(limits.bulkQueueEntriesMin, limits.bulkQueueEntriesPerCommitMs * journal.commits.commitMs)
  return ingestRoutes({
    registry: calls.registry,
    hasRoom: () =>
      calls.duplicates.hasRoom &&
      journal.hasRoom(limits.dataBytesMax) &&
      journal.commits.openEntries < bulkEntriesMax() &&
      journal.commits.queuedEntries < limits.journalQueueEntriesMax,
    countLines: (result) => {
      for (const status of ['accepted', 'duplicate', 'rejected', 'invalid'] as const)
        metrics.packets[status] += result[status]
    },
    countPacket: (status) => {
      metrics.packets[status]++
    },
  })
}
