/** Alerts in a row: how many are open, and the one that is to be seen first. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { insightView, rowAlerts } from '../../src/actors/alert-view.js'
import type { CallAlert } from '../../src/actors/call-context.js'

const alert = (alert_id: string, change: Partial<CallAlert> = {}): CallAlert => ({
  alert_id,
  kind: 'noise',
  severity: 'notice',
  channel: 0,
  from_ms: 0,
  since: '2026-01-01T10:00:00.000Z',
  certain: true,
  toMs: null,
  acknowledgedAt: null,
  acknowledgedBy: null,
  note: null,
  ...change,
})

describe('the alerts of a row', () => {
  test('are those that are open, and the worst of them', () => {
    const open = alert('noise:0:1')
    const worse = alert('one_way:1:1', { severity: 'critical' })
    const over = alert('tone:0:1', { severity: 'critical', toMs: 5000 })
    assert.deepEqual(rowAlerts([]), { alerts: 0, worst: null })
    assert.deepEqual(rowAlerts([over]), { alerts: 0, worst: null })
    const { alerts, worst } = rowAlerts([open, over, worse])
    assert.deepEqual([alerts, worst?.alert_id], [2, 'one_way:1:1'])
  })

  test('put what nobody has acknowledged before what somebody has', () => {
    const seen = { acknowledgedAt: 1_700_000_000_000, acknowledgedBy: 'maria' }
    const taken = alert('one_way:1:1', { severity: 'critical', ...seen })
    assert.equal(rowAlerts([taken, alert('noise:0:1')]).worst?.alert_id, 'noise:0:1')
    assert.equal(rowAlerts([taken]).worst?.acknowledged_by, 'maria')
  })

  test('are shown without figures where nobody listens, and nothing is shown where nothing is known', () => {
    assert.equal(insightView([], null), null)
    const insight = insightView([alert('noise:0:1')], null)
    assert.deepEqual([insight?.at, insight?.quality, insight?.alerts.length], [null, null, 1])
    assert.equal(insightView([], { facts: null, isSkipped: true })?.skipped, true)
  })
})
