/**
 * A list of calls as a table (RFC 4180): the pages of the list, one behind the other, in one answer with a bound. What is cut off is named by a
 * link to where it goes on.
 */
import { performance } from 'node:perf_hooks'
import Type from 'typebox'
import { limits } from '../../limits.js'
import type { CallView } from '../../protocol/call.js'
import { type Exchange, privateHeaders } from '../exchange.js'
import type { Route } from '../routes.js'
import { filterParameters, filtersOf } from './call-filters.js'
import { type CallPorts, cursorOf, readCalls, textOfCursor } from './call-reads.js'

const csvType = 'text/csv; charset=utf-8'

const columns: Readonly<Record<string, (call: CallView) => string | number | null>> = {
  started_at: (call) => call.created_at,
  duration_seconds: (call) => secondsBetween(call.created_at, call.completed_at),
  agent: (call) => call.agent,
  queue: (call) => call.queue,
  caller: (call) => call.caller,
  callee: (call) => call.callee,
  direction: (call) => call.direction,
  state: (call) => call.state,
  sentiment: (call) => call.ai.sentiment,
  packets_received: (call) => call.total_received,
  packets_missing: (call) => call.missing_count,
  ended_at: (call) => call.ended_at,
  call_id: (call) => call.call_id,
}
const header = `${Object.keys(columns).join(',')}\r\n`

export function callTableRoute(ports: CallPorts): Route {
  return {
    method: 'GET',
    path: '/v1/calls.csv',
    access: 'supervisor',
    answerBytesMax: limits.tableBytesMax + limits.pageBytesMax,
    tag: 'calls',
    summary: 'Calls as a table',
    description: `The list of \`/v1/calls\` as CSV, at most ${limits.tableRowsMax.toLocaleString('en')} calls. If there are more, the header \`Link\` has the address of the next part (\`rel="next"\`). Calls with damaged rows are left out. A cell that a spreadsheet would take for a formula begins with an apostrophe.`,
    query: [
      ...filterParameters,
      { name: 'cursor', schema: Type.String({ description: 'From the `Link` of the part before.' }) },
    ],
    answers: { 200: { description: 'The table.', mediaType: 'text/csv' } },
    answer: (exchange) => answerTable(exchange, ports),
  }
}

async function answerTable(exchange: Exchange, ports: CallPorts): Promise<void> {
  const filters = filtersOf(exchange.search)
  let cursor = cursorOf(exchange.query('cursor'))
  const parts = [header]
  let [rows, bytes] = [0, 0]
  do {
    const limit = Math.min(limits.callsPageMax, limits.tableRowsMax - rows)
    const page = await readCalls(ports, filters, cursor, limit)
    if (exchange.isEnded) return
    // Each page is progress: all of them may take longer than an answer.
    exchange.progressAt = performance.now()
    const lines = page.calls.flatMap((call) => ('damaged' in call ? [] : [lineOf(call)]))
    const text = lines.join('')
    parts.push(text)
    rows += lines.length
    bytes += Buffer.byteLength(text)
    cursor = page.nextCursor
  } while (cursor !== null && rows < limits.tableRowsMax && bytes < limits.tableBytesMax)
  exchange.send('200 OK', csvType, parts.join(''), [
    ...privateHeaders,
    ['Content-Disposition', 'attachment; filename="calls.csv"'],
    ...linkTo(exchange.search, cursor),
  ])
}

/** Relative, so that it is right behind any proxy. */
function linkTo(search: URLSearchParams, cursor: number | null): readonly (readonly [string, string])[] {
  if (cursor === null) return []
  const next = new URLSearchParams(search)
  next.set('cursor', textOfCursor(cursor))
  return [['Link', `<calls.csv?${next}>; rel="next"`]]
}

function lineOf(call: CallView): string {
  return `${Object.values(columns)
    .map((column) => cellOf(column(call)))
    .join(',')}\r\n`
}

/** A number of a caller begins with a plus, and is none. */
const formula = /^(?:[=@\t\r]|[+-](?![\d ()-]*$))/

function cellOf(value: string | number | null): string {
  if (typeof value !== 'string') return value === null ? '' : String(value)
  const text = formula.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

function secondsBetween(from: string, to: string | null): number | null {
  return to === null ? null : Math.round((Date.parse(to) - Date.parse(from)) / 1000)
}
