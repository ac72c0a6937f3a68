/** The results in words and a table: pure, text out. */
import { formatCount } from '../terminal/numbers.js'
import { renderTable } from '../terminal/table.js'
import { differencesShown, packetMs, rowsShown } from './limits.js'
import type { CallRow, Verdict } from './verdict.js'

const callsNamed = 5
const heads = ['call', 'sent', 'accepted', 'duplicate', 'late', 'missing', 'state', 'transcript']
const textHeads = ['call', 'state', 'transcript']
const transcriptColumn = heads.length - 1
const transcriptCharactersMin = 16
const borderCharacters = heads.length + 1
const paddingCharacters = 2 * heads.length

/** A table of the first calls and the total of all, fitted to `columns` characters by shortening the transcripts. */
export function renderCalls(rows: readonly CallRow[], view: { columns: number; showsAll: boolean }): string {
  const shown = view.showsAll ? rows : rows.slice(0, rowsShown)
  const lines = [...shown.map(toCells), totalCells(rows)]
  const widths = heads.map((head, column) =>
    Math.max(head.length, ...lines.map((cells) => cells[column]?.length ?? 0)),
  )
  const others = widths.slice(0, transcriptColumn).reduce((sum, width) => sum + width, 0)
  const room = Math.max(transcriptCharactersMin, view.columns - others - borderCharacters - paddingCharacters)
  const columns = heads.map((head) => ({
    head,
    align: textHeads.includes(head) ? ('left' as const) : ('right' as const),
  }))
  const table = renderTable(
    columns,
    lines.map((cells) => [...cells.slice(0, transcriptColumn), shorten(cells[transcriptColumn] ?? '', room)]),
  )
  const hidden = rows.length - shown.length
  return `${table}\n${hidden > 0 ? `${hidden} more calls are in the total (--all shows them)\n` : ''}`
}

function toCells(row: CallRow): string[] {
  return [
    row.callId,
    ...[row.sent, row.accepted, row.duplicate, row.late, row.missing].map(formatCount),
    row.state,
    toOneLine(row.transcript),
  ]
}

function totalCells(rows: readonly CallRow[]): string[] {
  const sum = (pick: (row: CallRow) => number) =>
    formatCount(rows.reduce((total, row) => total + pick(row), 0))
  const states = new Map<string, number>()
  for (const { state } of rows) states.set(state, (states.get(state) ?? 0) + 1)
  return [
    `total of ${formatCount(rows.length)}`,
    sum((row) => row.sent),
    sum((row) => row.accepted),
    sum((row) => row.duplicate),
    sum((row) => row.late),
    sum((row) => row.missing),
    [...states].map(([state, count]) => `${count} ${state}`).join(', '),
    '',
  ]
}

/** A provider's text must not move the cursor or change the colours of the terminal. */
function toOneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim()
}

function shorten(text: string, charactersMax: number): string {
  const characters = [...text]
  return characters.length <= charactersMax ? text : `${characters.slice(0, charactersMax - 1).join('')}…`
}

/** What to know of the accounts, and in the last line what came out. */
export function renderVerdict(verdict: Verdict): string {
  const { found, notCompared, unended, rejectedCount, unansweredTries } = verdict
  const lines: string[] = []
  if (rejectedCount > 0)
    lines.push(`late packets rejected after the grace period, so missing: ${formatCount(rejectedCount)}`)
  if (unansweredTries > 0)
    lines.push(
      `tries without an answer, sent again: ${formatCount(unansweredTries)} (each may have been counted as a duplicate)`,
    )
  for (const [reason, callIds] of notCompared)
    lines.push(`not compared in full, ${reason}: ${listCalls(callIds)}`)
  if (unended.length > 0) lines.push(`not ended: ${listCalls(unended)}`)
  lines.push(...found.slice(0, differencesShown).map(renderDifference))
  if (found.length > differencesShown)
    lines.push(`  … and ${formatCount(found.length - differencesShown)} more`)
  return [...lines, conclude(verdict)].map((line) => `${line}\n`).join('')
}

function listCalls(callIds: readonly string[]): string {
  const some = callIds.slice(0, callsNamed).join(', ')
  return callIds.length > callsNamed ? `${some}, … (${formatCount(callIds.length)} calls)` : some
}

function conclude({ outcome, found, comparedCount }: Verdict): string {
  const compared = formatCount(comparedCount)
  switch (outcome) {
    case 'exact':
      return `accounts: every one of ${compared} is exact`
    case 'differs':
      return `accounts: ${formatCount(found.length)} differences`
    case 'unfinished':
      return `accounts: ${compared} compared and exact, but the run is not complete`
    case 'interrupted':
      return `accounts: interrupted when ${compared} were compared, which are exact`
  }
}

function renderDifference({ callId, difference }: Verdict['found'][number]): string {
  return `  ${callId} · ${difference.what}: expected ${difference.expected}, found ${difference.found}`
}

/** The rate that was achieved, of the packets before the completions. */
export function renderRate(play: {
  callCount: number
  sentCount: number
  elapsedMs: number
  /** What was played of all calls, in packet times. */
  playedTicks: number
  speed: number
}): string {
  const { callCount, sentCount, elapsedMs, playedTicks, speed } = play
  const seconds = Math.max(elapsedMs, 1) / 1000
  const multiple = (playedTicks * packetMs) / 1000 / callCount / seconds
  return (
    `played ${formatCount(callCount)} calls in ${seconds.toFixed(1)} s: ${formatCount(sentCount)} packets, ` +
    `${formatCount(Math.round(sentCount / seconds))} packets/s, ${formatMultiple(multiple)} times real time (asked: up to ${formatMultiple(speed)})\n`
  )
}

function formatMultiple(multiple: number): string {
  return String(Number(multiple.toFixed(2)))
}
