/** What the service has heard in the sound of a call that needs somebody, and who takes care of it. */
import type { Alert } from '../../protocol/alert.js'
import { formatDuration, formatTime } from '../format.js'
import { alertTexts } from '../model/attention.js'

interface AlertsProps {
  /** Oldest first. */
  readonly alerts: readonly Alert[]
  readonly now: number
}

export function Alerts({ alerts, now }: AlertsProps) {
  if (alerts.length === 0) return null
  return (
    <section class="panel-section">
      <h3>Alerts of its sound</h3>
      <ul class="alerts">
        {[...alerts].reverse().map((alert) => (
          <li key={alert.alert_id} class={alert.to_ms === null ? '' : 'quiet'}>
            <time dateTime={alert.since}>{formatTime(Date.parse(alert.since))}</time>
            <span>
              {alertTexts[alert.kind]}
              {alert.channel !== null && ` (voice ${alert.channel + 1})`}
              {!alert.certain && ', probably'}
            </span>
            <span class="quiet">{lastedText(alert, now)}</span>
          </li>
        ))}
      </ul>
    </section>
  )
}

function lastedText({ since, from_ms: from, to_ms: to, ...alert }: Alert, now: number): string {
  const lasted =
    to === null ? `for ${formatDuration(now - Date.parse(since))}` : `${formatDuration(to - from)}, over`
  if (alert.acknowledged_at === null) return lasted
  const note = alert.note === null || alert.note === '' ? '' : `: ${alert.note}`
  return `${lasted}; acknowledged by ${alert.acknowledged_by ?? 'somebody'}${note}`
}
