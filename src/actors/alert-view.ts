/** What supervisors see of the sound of a call: its alerts, and what is heard just now. Pure. */
import { rfc3339 } from '../clock.js'
import type { InsightFacts } from '../insight/call-insight.js'
import type { Alert, AlertSeverity, Insight, WorstAlert } from '../protocol/alert.js'
import type { CallAlert } from './call-context.js'

/** Heard of the call a moment ago. */
export interface HeardCall {
  /** Null where only that is known: some of it is not looked at. */
  readonly facts: InsightFacts | null
  readonly isSkipped: boolean
}

/** Null where nothing is known. */
export function insightView(alerts: readonly CallAlert[], heard: HeardCall | null): Insight | null {
  if (alerts.length === 0 && heard === null) return null
  return {
    ...(heard?.isSkipped === true ? { skipped: true as const } : {}),
    ...factsView(heard?.facts ?? null),
    alerts: alerts.map(alertView),
  }
}

function factsView(facts: InsightFacts | null): Omit<Insight, 'alerts' | 'skipped'> {
  if (facts === null)
    return { at: null, channels: [], silence_ms: null, overtalk_ms: null, talk_ratio: [], quality: null }
  const { voices, quality } = facts
  const speechMs = voices.reduce((sum, voice) => sum + voice.speechMs, 0)
  return {
    at: rfc3339(facts.at),
    channels: voices.map((voice) => ({
      channel: voice.channel,
      is_speaking: voice.isSpeaking,
      speech_ms: voice.speechMs,
      level_dbfs: rounded(voice.levelDbfs, 10),
      noise_dbfs: rounded(voice.noiseDbfs, 10),
      clipped: rounded(voice.clipped, 1e4),
      dtmf_keys: voice.keys,
    })),
    silence_ms: facts.silentMs,
    overtalk_ms: facts.overtalkMs,
    talk_ratio: speechMs === 0 ? [] : voices.map((voice) => rounded(voice.speechMs / speechMs, 100)),
    quality: {
      loss: rounded(quality.loss, 1e4),
      burst_ratio: rounded(quality.burstRatio, 100),
      mos: rounded(quality.mos, 100),
      basis: 'packets as received here',
    },
  }
}

function rounded(value: number, parts: number): number {
  return Math.round(value * parts) / parts
}

function alertView({ toMs, acknowledgedAt, acknowledgedBy, note, ...alert }: CallAlert): Alert {
  return {
    ...alert,
    to_ms: toMs,
    acknowledged_by: acknowledgedBy,
    acknowledged_at: acknowledgedAt === null ? null : rfc3339(acknowledgedAt),
    note,
  }
}

const ranks: Readonly<Record<AlertSeverity, number>> = { notice: 0, warning: 1, critical: 2 }
/** An acknowledged one comes behind all that are not. */
const rankOf = ({ severity, acknowledgedAt }: CallAlert) =>
  ranks[severity] + (acknowledgedAt === null ? 3 : 0)

/** In a row: how many are open, and which of them is to be seen first. */
export function rowAlerts(alerts: readonly CallAlert[]): {
  readonly alerts: number
  readonly worst: WorstAlert | null
} {
  if (alerts.length === 0) return noRowAlerts
  const open = alerts.filter(({ toMs }) => toMs === null)
  const [first, ...others] = open
  if (first === undefined) return noRowAlerts
  const worst = others.reduce((most, next) => (rankOf(next) > rankOf(most) ? next : most), first)
  const { alert_id, kind, severity, channel, since, acknowledgedBy, acknowledgedAt } = worst
  return {
    alerts: open.length,
    worst: {
      alert_id,
      kind,
      severity,
      channel,
      since,
      acknowledged_by: acknowledgedBy,
      acknowledged_at: acknowledgedAt === null ? null : rfc3339(acknowledgedAt),
    },
  }
}

const noRowAlerts = { alerts: 0, worst: null }
