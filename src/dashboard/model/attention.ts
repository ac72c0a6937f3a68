/** Which call needs somebody now: what is wrong with each, in words, since when, and in which order. Pure. */
import type { AlertKind, AlertSeverity } from '../../protocol/alert.js'
import { formatDuration, formatShare } from '../format.js'
import type { CallRecord } from './call-record.js'

export const silentAfterMs = 2000
const silentLongMs = 10_000
const losingBadly = 0.1
const lossOverall = 0.05
const packetsForOverall = 100
const waitingAfterMs = 60_000
const waitingLongMs = 5 * 60_000
/** A caller who was unhappy is called back soon or not at all. */
const negativeForMs = 30 * 60_000

export type ConcernKind = 'silent' | 'losing' | 'talk' | 'sound' | 'failed' | 'waiting' | 'negative'
/** 3: somebody suffers now. 2: something is going wrong. 1: worth a look. */
export type Level = 1 | 2 | 3

export interface Concern {
  readonly kind: ConcernKind
  readonly level: Level
  readonly reason: string
  readonly since: number
}

export interface Need {
  readonly call: CallRecord
  /** The worst one first. */
  readonly concerns: readonly [Concern, ...Concern[]]
}

export const concernKinds: readonly ConcernKind[] = [
  'silent',
  'losing',
  'talk',
  'sound',
  'failed',
  'waiting',
  'negative',
]
export const concernNames: Readonly<Record<ConcernKind, string>> = {
  silent: 'Silent',
  losing: 'Losing packets',
  talk: 'Talk',
  sound: 'Sound',
  failed: 'Failed',
  waiting: 'Waiting for AI',
  negative: 'Negative',
}

function concernsOf(call: CallRecord, now: number): readonly Concern[] {
  const { state } = call.row
  const found: (Concern | null)[] =
    state === 'IN_PROGRESS'
      ? [silent(call, now), losing(call), heard(call)]
      : state === 'FAILED'
        ? [failed(call)]
        : state === 'PROCESSING_AI'
          ? [waiting(call, now)]
          : state === 'ARCHIVED'
            ? [negative(call, now)]
            : []
  return found.filter((concern) => concern !== null).sort(byUrgency)
}

function silent(call: CallRecord, now: number): Concern | null {
  const ms = now - call.lastPacketAt
  if (ms < silentAfterMs) return null
  return {
    kind: 'silent',
    level: ms >= silentLongMs ? 3 : 2,
    reason: call.row.total_received === 0 ? 'Silent: no packet has arrived yet' : 'Silent: no packets arrive',
    since: call.lastPacketAt,
  }
}

function losing(call: CallRecord): Concern | null {
  const { recentLoss, losingSince, loss, row } = call
  if (losingSince !== null && recentLoss !== null)
    return {
      kind: 'losing',
      level: recentLoss >= losingBadly ? 3 : 2,
      reason: `${formatShare(recentLoss)} lost in the last 10 s, ${formatShare(loss)} overall`,
      since: losingSince,
    }
  if (loss < lossOverall || row.total_received < packetsForOverall) return null
  return {
    kind: 'losing',
    level: 1,
    reason: `${formatShare(loss)} lost overall${recentLoss === null ? '' : `, ${formatShare(recentLoss)} now`}`,
    since: call.createdAt,
  }
}

/** What the service hears of how people talk, and of how it sounds. */
export const alertTexts: Readonly<Record<AlertKind, string>> = {
  dead_air: 'Nobody speaks',
  one_way: 'One side is not heard',
  overtalk: 'Both speak at once',
  tone: 'A steady tone: busy, ringing or fax',
  clipping: 'The sound is clipped',
  low_level: 'Too quiet',
  high_level: 'Too loud',
  noise: 'Noise on the line',
  same_channels: 'Both sides sound alike: echo or a wrong stereo',
  wrong_encoding: 'The sound is not of the stated encoding',
}
const ofTalk: ReadonlySet<AlertKind> = new Set(['dead_air', 'one_way', 'overtalk', 'tone'])
const alertLevels: Readonly<Record<AlertSeverity, Level>> = { critical: 3, warning: 2, notice: 1 }

/** The worst alert that is open, until somebody has acknowledged it: then no supervisor sees it here. */
function heard({ row: { worst } }: CallRecord): Concern | null {
  if (worst === null || worst.acknowledged_at !== null) return null
  const { kind, severity, channel, since } = worst
  return {
    kind: ofTalk.has(kind) ? 'talk' : 'sound',
    level: alertLevels[severity],
    reason: channel === null ? alertTexts[kind] : `${alertTexts[kind]} (voice ${channel + 1})`,
    since: Date.parse(since),
  }
}

function failed(call: CallRecord): Concern {
  const { attempts, error } = call.row.ai
  const tries = `${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}`
  return {
    kind: 'failed',
    level: 2,
    reason: `Analysis failed after ${tries}${error === null ? '' : `: ${error}`}`,
    since: call.endedAt ?? call.completedAt ?? call.lastPacketAt,
  }
}

function waiting(call: CallRecord, now: number): Concern | null {
  // One that failed yesterday and is analysed again has waited since then, not since yesterday.
  const since = Math.max(call.completedAt ?? call.lastPacketAt, call.processingSince ?? 0)
  const ms = now - since
  if (ms < waitingAfterMs) return null
  const { attempts, next_attempt_at: next } = call.row.ai
  const untilNext = next === null ? 0 : Date.parse(next) - now
  const then = untilNext > 0 ? `, next in ${formatDuration(untilNext)}` : ''
  const tries = attempts === 0 ? 'not tried yet' : `${attempts} tried${then}`
  return {
    kind: 'waiting',
    level: ms >= waitingLongMs ? 2 : 1,
    reason: `Long wait for the analysis (${tries})`,
    since,
  }
}

function negative(call: CallRecord, now: number): Concern | null {
  if (call.row.sentiment !== 'negative' || call.endedAt === null) return null
  if (now - call.endedAt > negativeForMs) return null
  return {
    kind: 'negative',
    level: 1,
    reason: 'The caller was unhappy: negative sentiment',
    since: call.endedAt,
  }
}

function byUrgency(a: Concern, b: Concern): number {
  return b.level - a.level || concernKinds.indexOf(a.kind) - concernKinds.indexOf(b.kind)
}

/** Most urgent first; among equals the kind decides, then who has waited longest. */
export function needsOf(calls: Iterable<CallRecord>, now: number): readonly Need[] {
  const needs: Need[] = []
  for (const call of calls) {
    const [worst, ...others] = concernsOf(call, now)
    if (worst !== undefined) needs.push({ call, concerns: [worst, ...others] })
  }
  return sortNeeds(needs)
}

/** In place. */
export function sortNeeds(needs: Need[]): readonly Need[] {
  return needs.sort(
    (a, b) => byUrgency(a.concerns[0], b.concerns[0]) || a.concerns[0].since - b.concerns[0].since,
  )
}
