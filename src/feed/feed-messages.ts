/** The messages of the stream as texts. Rows come as texts already: each is made once, for everybody who gets it. */
import type { Millis } from '../clock.js'
import { rfc3339 } from '../clock.js'
import type { CallState } from '../protocol/call.js'
import type { ResetReason } from '../protocol/feed.js'
import type { FloorTotals } from '../protocol/floor.js'

export interface RowText {
  readonly callId: string
  /** Null for a call of which nothing can be read. */
  readonly state: CallState | null
  /** A mark in the place of a row. */
  readonly isDamaged?: true
  readonly text: string
}

const head = (event: string, position: string, at: Millis) =>
  `{"event":"${event}","position":"${position}","at":"${rfc3339(at)}"`

export function noticeText(event: 'hello' | 'live' | 'heartbeat', position: string, at: Millis): string {
  return `${head(event, position, at)}}`
}

export function resetText(reason: ResetReason, position: string, at: Millis): string {
  return `${head('reset', position, at)},"reason":"${reason}"}`
}

export function snapshotText(
  rows: readonly RowText[],
  isLast: boolean,
  position: string,
  at: Millis,
): string {
  return `${head('snapshot', position, at)},"calls":[${joined(rows)}],"is_last":${isLast}}`
}

export function floorText(
  totals: FloorTotals,
  rows: readonly RowText[],
  gone: readonly string[],
  position: string,
  at: Millis,
): string {
  return `${head('floor', position, at)},"totals":${JSON.stringify(totals)},"changed":[${joined(rows)}],"gone":${JSON.stringify(gone)}}`
}

function joined(rows: readonly RowText[]): string {
  return rows.map(({ text }) => text).join(',')
}
