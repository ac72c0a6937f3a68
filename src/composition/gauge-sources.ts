/** Where the gauges look. */

import type { EventFeed } from '../feed/event-feed.js'
import type { Listening } from '../http/routes/listening.js'
import { type NotReadyReason, notReadyReasons } from '../http/routes/operations.js'
import type { Server } from '../http/server.js'
import type { SupervisorSockets } from '../http/sockets/supervisor-socket.js'
import type { CallInsights } from '../insight/call-insights.js'
import type { FolderSpace } from '../metrics/folder-space.js'
import type { GaugeSources } from '../metrics/gauges.js'
import type { ServiceJournal } from '../store/service-journal.js'
import { version } from '../version.js'
import type { CallActors } from './call-actors.js'
import type { MediaInputs } from './media.js'

export interface GaugedParts {
  readonly space: FolderSpace
  readonly feed: EventFeed
  readonly journal: ServiceJournal
  readonly calls: CallActors
  readonly insights: CallInsights | null
  readonly server: Server
  readonly sockets: SupervisorSockets
  readonly media: MediaInputs
  readonly listening: Listening
  notReady(): readonly NotReadyReason[]
}

export function gaugeSources({
  space,
  feed,
  journal,
  calls,
  insights,
  server,
  sockets,
  media,
  listening,
  notReady,
}: GaugedParts): GaugeSources {
  return {
    version,
    activeCalls: () => calls.registry.activeCount,
    activeCallsByState: () => calls.registry.activeByState,
    activatingCalls: () => calls.registry.activatingCount,
    activationMessages: () => calls.registry.waitingMessages,
    armedDeadlines: () => calls.deadlines.armedCount,
    runningAnalyses: () => calls.analysis.analyses.runningCount,
    runningAttempts: () => calls.analysis.slots.activeCount,
    waitingAttempts: () => calls.analysis.slots.pendingCount,
    breakerState: () => calls.analysis.breaker.state,
    parkedAttempts: () => calls.analysis.breaker.parkedCount,
    supervisors: () => sockets.count,
    mediaSockets: () => media.count,
    listeners: () => listening.count,
    insightChannels: () => insights?.channels ?? 0,
    insightSkipped: () => insights?.skippedPackets ?? 0,
    insightRestarts: () => insights?.deaths ?? 0,
    supervisorQueuedBytes: () => sockets.queuedBytes,
    events: () => feed.offset,
    requestsInFlight: () => server.inFlightCount,
    untakenBytes: () => server.untaken.bytes,
    queuedEntries: () => journal.commits.queuedEntries,
    openEntries: () => journal.commits.openEntries,
    openBytes: () => journal.commits.openBytes,
    space: () => space.latest,
    notReady: () => {
      const reasons = notReady()
      return Object.fromEntries(notReadyReasons.map((reason) => [reason, reasons.includes(reason)]))
    },
    erasureBacklog: () => journal.erasureBacklog,
    oldestEndedCall: () => (calls.retention?.oldestEndedAt ?? 0) / 1000,
  }
}
