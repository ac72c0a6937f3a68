/**
 * Everything that can be asked of a service about its stored calls, as one account: the answers of an undamaged service are
 * compared with what was sent, and those of a damaged one with these. An answer is true, or an error, or says of a call that
 * it is damaged; nothing else.
 */
import WebSocket from 'ws'
import { contentHash } from './attempts.js'
import { hashesOf, type SentCall } from './damaged-image.js'
import { type Answer, Connection } from './requests.js'
import { within } from './stage.js'

export type Report = (text: string) => void

/** By path; `socket` has the rows of a snapshot, or null where it was closed. */
export interface Answers {
  readonly byPath: ReadonlyMap<string, Answer>
  readonly snapshot: readonly Row[] | null
}

interface Row {
  readonly call_id: string
  readonly state: string | null
  readonly damaged?: true
}

interface View extends Row {
  readonly total_received: number
}

const connections = 4
const snapshotMsMax = 10_000
const attemptsMax = 5

const searches = ['invoice', 'refund', 'thanks broken', 'contr*']
const filters = ['agent=agent-1', 'agent=agent-4&state=ARCHIVED', 'queue=sales']
const states = ['IN_PROGRESS', 'COMPLETED', 'PROCESSING_AI', 'ARCHIVED', 'FAILED']

export const isSearch = (path: string) => path.includes('q=')
const isList = (path: string) => path.startsWith('/v1/calls')
export const callOf = (path: string) => /^\/v1\/call\/([^/?]+)/.exec(path)?.[1] ?? null

export function pathsOf(calls: readonly SentCall[]): readonly string[] {
  return [
    ...calls.flatMap(({ id, isAudio }) => [
      `/v1/call/${id}`,
      `/v1/call/${id}/packets?limit=1000`,
      // Those of short calls are told by what their views are.
      ...(id.startsWith('short') ? [] : [`/v1/call/${id}/gaps`]),
      `/v1/call/${id}/transcript${isAudio ? '' : '?format=text'}`,
      ...(isAudio ? [`/v1/call/${id}/audio.wav`] : []),
    ]),
    '/v1/call/nobody',
    '/v1/call/zzz/packets',
    '/v1/calls?limit=200',
    ...states.map((state) => `/v1/calls?limit=200&state=${state}`),
    ...searches.map((words) => `/v1/calls?limit=200&q=${encodeURIComponent(words)}`),
    ...[...filters, `meta.crm=crm-${calls.find(({ agent }) => agent !== null)?.id}`].map(
      (filter) => `/v1/calls?limit=200&${filter}`,
    ),
    '/metrics',
  ]
}

export async function readAnswers(port: number, paths: readonly string[]): Promise<Answers> {
  const left = [...paths]
  const byPath = new Map<string, Answer>()
  const reads = Array.from({ length: connections }, async () => {
    const connection = new Connection(port)
    for (let path = left.shift(); path !== undefined; path = left.shift())
      byPath.set(path, await getPatiently(connection, path))
    connection.close()
  })
  await Promise.all(reads)
  return { byPath, snapshot: await readSnapshot(port) }
}

/** On a busy machine an answer may be late, which says nothing about the file; one that never comes does. */
async function getPatiently(connection: Connection, path: string): Promise<Answer> {
  for (let attempt = 1; ; attempt++) {
    const answer = await connection.get(path)
    const isLate = answer.kind === 'broken' || answer.status === 503
    if (!isLate || attempt === attemptsMax) return answer
  }
}

async function readSnapshot(port: number): Promise<readonly Row[] | null> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws/supervisor?since=snapshot`)
  const rows: Row[] = []
  let isWhole = false
  socket.on('message', (data) => {
    const message = JSON.parse(String(data)) as { event: string; calls?: Row[]; is_last?: boolean }
    if (message.event !== 'snapshot') return
    rows.push(...(message.calls ?? []))
    if (message.is_last !== true) return
    isWhole = true
    socket.close()
  })
  socket.on('error', () => {})
  // `close` follows an error.
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()))
  if ((await within(snapshotMsMax, closed)) === null) socket.terminate()
  return isWhole ? rows : null
}

// --- of the undamaged service ---------------------------------------------------------------------------------------

/** Compares with what was sent: nothing that is compared with these answers later can be true otherwise. */
export function judgeAccount(
  calls: readonly SentCall[],
  { byPath, snapshot }: Answers,
  report: Report,
): void {
  for (const call of calls) {
    const view = bodyOf<View>(byPath.get(`/v1/call/${call.id}`))
    if (view?.state !== call.state || view.total_received !== call.packets.size)
      report(`${call.id} is ${view?.state} with ${view?.total_received} packets`)
    const hashes = packetsOf(byPath.get(`/v1/call/${call.id}/packets?limit=1000`))
    for (const [sequence, hash] of hashesOf(call))
      if (hashes.get(sequence) !== hash) report(`${call.id}/${sequence} is not what was sent`)
    const text = textOf(byPath.get(`/v1/call/${call.id}/transcript?format=text`))
    for (const word of call.words)
      if (!text.includes(word)) report(`${word} is not in the text of ${call.id}`)
  }
  const listed = rowsOf(byPath.get('/v1/calls?limit=200'))
  if (listed.length !== calls.length) report(`${listed.length} calls are listed of ${calls.length}`)
  if (snapshot === null || snapshot.length === 0) report('there is no snapshot')
  for (const path of byPath.keys())
    if (isList(path) && rowsOf(byPath.get(path)).length === 0) report(`nothing is found by ${path}`)
}

function textOf(answer: Answer | undefined): string {
  return answer?.kind === 'answered' && answer.status === 200 ? answer.text : ''
}

function bodyOf<T>(answer: Answer | undefined): T | null {
  const text = textOf(answer)
  return text === '' ? null : (JSON.parse(text) as T)
}

function rowsOf(answer: Answer | undefined): readonly Row[] {
  return bodyOf<{ calls: Row[] }>(answer)?.calls ?? []
}

function packetsOf(answer: Answer | undefined): ReadonlyMap<number, string> {
  const page = bodyOf<{ packets: { sequence: number; data: string; timestamp: number }[] }>(answer)
  return new Map(
    (page?.packets ?? []).map(({ sequence, data, timestamp }) => [sequence, contentHash(data, timestamp)]),
  )
}

// --- of a damaged one -----------------------------------------------------------------------------------------------

export interface Judgement {
  /** Answers that are errors, and rows that say that they are damaged. */
  readonly errors: number
  readonly marks: number
}

export function judgeDamaged(truth: Answers, found: Answers, report: Report): Judgement {
  let errors = 0
  let marks = 0
  const silent = new Set<string>()
  for (const [path, answer] of found.byPath) {
    if (!isError(answer)) continue
    errors++
    const call = callOf(path)
    if (call !== null && path.includes('/transcript')) silent.add(call)
  }
  for (const [path, answer] of found.byPath) {
    const isTrue = truth.byPath.get(path)
    if (isError(answer) || isTrue === undefined) continue
    if (answer.kind === 'broken') report(`${path} had no answer: ${answer.reason}`)
    else if (isTrue.kind !== 'answered' || answer.status !== isTrue.status)
      report(`${path} is ${answer.status}: ${answer.text.slice(0, 200)}`)
    else if (answer.status !== 200) continue
    else if (path === '/metrics') judgeMetrics(isTrue.text, answer.text, report)
    else if (isList(path))
      marks += judgeRows(path, rowsOf(isTrue), rowsOf(answer), isSearch(path) ? silent : new Set(), report)
    else if (still(answer.text) !== still(isTrue.text))
      report(`${path} is not true: ${differenceOf(still(isTrue.text), still(answer.text))}`)
  }
  if (found.snapshot === null) errors++
  else marks += judgeRows('the snapshot', truth.snapshot ?? [], found.snapshot, new Set(), report)
  return { errors, marks }
}

function isError(answer: Answer): boolean {
  return (
    answer.kind === 'answered' &&
    answer.status === 500 &&
    /"urn:voicestream:problem:(stored_damage|read_failed)"/.test(answer.text)
  )
}

/** Each row once, as it is or as a mark; a search may keep back the calls whose transcripts are damaged. */
function judgeRows(
  path: string,
  truth: readonly Row[],
  found: readonly Row[],
  mayBeMissing: ReadonlySet<string>,
  report: Report,
): number {
  const left = new Map(truth.map((row) => [row.call_id, row]))
  let marks = 0
  for (const row of found) {
    const isTrue = left.get(row.call_id)
    left.delete(row.call_id)
    if (isTrue === undefined) report(`${path} has ${row.call_id}, or has it twice`)
    else if (row.damaged === true) {
      marks++
      if (row.state !== null && row.state !== isTrue.state)
        report(`${path} has a mark of ${row.call_id} as ${row.state}`)
    } else if (still(JSON.stringify(row)) !== still(JSON.stringify(isTrue)))
      report(
        `${path} is not true of ${row.call_id}: ${differenceOf(JSON.stringify(isTrue), JSON.stringify(row))}`,
      )
  }
  for (const id of left.keys()) if (!mayBeMissing.has(id)) report(`${path} has no ${id}`)
  return marks
}

function judgeMetrics(truth: string, found: string, report: Report): void {
  const counts = (text: string) => text.split('\n').filter((line) => line.startsWith('voicestream_calls{'))
  const said = counts(found)
  for (const line of counts(truth)) if (!said.includes(line)) report(`/metrics does not say ${line}`)
}

/** Without what each start writes anew: attempts at what is being analysed. */
function still(text: string): string {
  return text.includes('"PROCESSING_AI"') ? text.replace(/"ai":\{[^}]*\}/g, '"ai":{}') : text
}

function differenceOf(truth: string, found: string): string {
  let at = 0
  while (at < truth.length && truth[at] === found[at]) at++
  return `${JSON.stringify(truth.slice(Math.max(0, at - 40), at + 60))}, but ${JSON.stringify(found.slice(Math.max(0, at - 40), at + 60))}`
}
