/** What a request says of its call: the tracks to hear, its key with the provider, and how much of the call has arrived. */
import type { TrackLogs } from '../actors/track-logs.js'
import type { Millis } from '../clock.js'
import type { CallId } from '../protocol/call-id.js'
import type { AnalysisRequest } from './provider.js'

/** Those that anything has come to; the first one where nothing has come at all. */
export function heardTracks(logs: TrackLogs): ReturnType<TrackLogs['all']> {
  const heard = logs.all().filter(({ log }) => log.totalReceived > 0)
  return heard.length > 0 ? heard : logs.all().slice(0, 1)
}

/** No call id has a `#`, so no two drives share a key; nor do a call that was erased and one of the same name after it. */
export function keyOf(callId: CallId, createdAt: Millis, redrives: number): string {
  const life = `voicestream:${callId}#${createdAt}`
  return redrives === 0 ? life : `${life}.${redrives}`
}

/** The share of the call that arrived. Nothing comes any more. */
export function coverageOf({
  packetCount,
  missingCount,
}: Pick<AnalysisRequest, 'packetCount' | 'missingCount'>): number {
  const all = packetCount + missingCount
  return all === 0 ? 1 : Math.floor((packetCount / all) * 10_000) / 10_000
}
