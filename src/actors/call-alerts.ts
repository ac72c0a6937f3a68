/**
 * The alerts of a call: raised and cleared by what listens to it while it runs, acknowledged by supervisors. What the
 * journaled entries of them do. When a call is completed nobody listens any more, and what is open is over. Pure.
 */
import { limits } from '../limits.js'
import type { RaisedAlert } from '../protocol/alert.js'
import type { LifecycleFacts } from '../store/journal.js'
import type { CallAlert, CallContext } from './call-context.js'

type Entry<Type extends LifecycleFacts['type']> = Extract<LifecycleFacts, { type: Type }>

export function isNewAlert({ alerts }: CallContext, { alert_id }: RaisedAlert): boolean {
  return alerts.length < limits.alertsKeptMax && alerts.every((alert) => alert.alert_id !== alert_id)
}

export function isOpenAlert({ alerts }: CallContext, alertId: string): boolean {
  return alerts.some(({ alert_id, toMs }) => alert_id === alertId && toMs === null)
}

export function isUnacknowledged({ alerts }: CallContext, alertId: string): boolean {
  return alerts.some(({ alert_id, acknowledgedAt }) => alert_id === alertId && acknowledgedAt === null)
}

export function withAlert({ alerts }: CallContext, { alert }: Entry<'alert-raised'>): readonly CallAlert[] {
  return [...alerts, { ...alert, toMs: null, acknowledgedAt: null, acknowledgedBy: null, note: null }]
}

export function withClearedAlert(
  { alerts }: CallContext,
  { alertId, toMs }: Entry<'alert-cleared'>,
): readonly CallAlert[] {
  return alerts.map((alert) => (alert.alert_id === alertId ? { ...alert, toMs } : alert))
}

export function withAcknowledgement(
  { alerts }: CallContext,
  { alertId, at, by, note }: Entry<'alert-acknowledged'>,
): readonly CallAlert[] {
  return alerts.map((alert) =>
    alert.alert_id === alertId ? { ...alert, acknowledgedAt: at, acknowledgedBy: by, note } : alert,
  )
}

/** Of those that are open when the call is completed: they have lasted until its last packet. */
export function endedAlerts({ alerts, lastPacketAt }: CallContext): readonly CallAlert[] {
  return alerts
    .filter(({ toMs }) => toMs === null)
    .map((alert) => ({
      ...alert,
      toMs: alert.from_ms + Math.max(0, lastPacketAt - Date.parse(alert.since)),
    }))
}

export function withEndedAlerts(context: CallContext): readonly CallAlert[] {
  const ended = endedAlerts(context)
  if (ended.length === 0) return context.alerts
  return context.alerts.map((alert) => ended.find(({ alert_id }) => alert_id === alert.alert_id) ?? alert)
}
