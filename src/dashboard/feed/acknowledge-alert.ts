import type { Need } from '../model/attention.js'
import { callPath } from './api-path.js'
import type { Session } from './session.js'

/** An alert of a call's sound is acknowledged for everybody. One that the service does not hear of stays so in this browser. */
export function acknowledgeAlert(session: Session, { call, concerns }: Need): void {
  const { worst } = call.row
  if (worst === null || !concerns.some(({ kind }) => kind === 'talk' || kind === 'sound')) return
  session.ask(`${callPath(call.id)}/alerts/${worst.alert_id}/acknowledge`, 'POST').catch(() => {})
}
