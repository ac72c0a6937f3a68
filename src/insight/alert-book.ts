/** The alerts of a call: which are open, and how many there were. Ids are made of kind, channel and count. Pure. */
import { type Millis, rfc3339 } from '../clock.js'
import { limits } from '../limits.js'
import { type AlertKind, type AlertSeverity, alertKinds, type RaisedAlert } from '../protocol/alert.js'

export interface AlertSink {
  raised(alert: RaisedAlert): void
  cleared(alertId: string, toMs: number): void
}

/** Of the call's life so far, as the journal has them. */
export interface KnownAlert {
  readonly alert_id: string
  readonly kind: AlertKind
  readonly channel: number | null
  readonly isOpen: boolean
}

/** Milliseconds of the call, and the time of the packet that brought it there. */
export interface Moment {
  readonly ms: number
  readonly at: Millis
}

interface Findings {
  count: number
  openId: string | null
  raisedMs: number
}

const severities: Readonly<Record<AlertKind, AlertSeverity>> = {
  dead_air: 'warning',
  one_way: 'warning',
  overtalk: 'notice',
  clipping: 'notice',
  low_level: 'notice',
  high_level: 'notice',
  noise: 'notice',
  tone: 'warning',
  same_channels: 'warning',
  wrong_encoding: 'critical',
}

export class AlertBook {
  readonly #sink: AlertSink
  readonly #findings = new Map<string, Findings>()
  #open = 0

  constructor(sink: AlertSink, known: readonly KnownAlert[] = []) {
    this.#sink = sink
    for (const { alert_id, kind, channel, isOpen } of known) {
      const findings = this.#of(kind, channel)
      findings.count++
      if (!isOpen) continue
      findings.openId = alert_id
      this.#open++
    }
  }

  isOpen(kind: AlertKind, channel: number | null): boolean {
    return this.#findings.get(keyOf(kind, channel))?.openId != null
  }

  /** What is open already, was raised a moment ago, or is one too many is not raised; while it lasts it is asked for again. */
  raise(kind: AlertKind, channel: number | null, fromMs: number, now: Moment, isCertain = true): void {
    const findings = this.#of(kind, channel)
    const isRecent = findings.raisedMs >= 0 && now.ms - findings.raisedMs < limits.alertEveryMs
    if (findings.openId !== null || isRecent || this.#open >= limits.alertsOpenMax) return
    findings.count++
    findings.raisedMs = now.ms
    findings.openId = `${keyOf(kind, channel)}:${findings.count}`
    this.#open++
    // A party of which nothing is heard at all is gone, where a suspicion may be one who listens.
    const severity = kind === 'one_way' && isCertain ? 'critical' : severities[kind]
    this.#sink.raised({
      alert_id: findings.openId,
      kind,
      severity,
      channel,
      from_ms: Math.max(0, Math.round(fromMs)),
      since: rfc3339(now.at),
      certain: isCertain,
    })
  }

  clear(kind: AlertKind, channel: number | null, now: Moment): void {
    const findings = this.#findings.get(keyOf(kind, channel))
    if (findings === undefined || findings.openId === null) return
    const alertId = findings.openId
    findings.openId = null
    this.#open--
    this.#sink.cleared(alertId, Math.max(0, Math.round(now.ms)))
  }

  /** The voice has left. */
  clearAll(channel: number, now: Moment): void {
    for (const kind of alertKinds) this.clear(kind, channel, now)
  }

  #of(kind: AlertKind, channel: number | null): Findings {
    const key = keyOf(kind, channel)
    let findings = this.#findings.get(key)
    if (findings === undefined) {
      findings = { count: 0, openId: null, raisedMs: -1 }
      this.#findings.set(key, findings)
    }
    return findings
  }
}

function keyOf(kind: AlertKind, channel: number | null): string {
  return `${kind}:${channel ?? 'call'}`
}
