/**
 * The reader thread: answers reads from a connection of its own, so that neither a cold page nor a long scan holds the
 * loop that takes in packets. Every read is one short transaction on what is committed by then.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { messageOf, StoredDamage } from '../../../errors.js'
import type { CallState } from '../../../protocol/call.js'
import type { CallId } from '../../../protocol/call-id.js'
import { callStates } from '../../../protocol/call-states.js'
import { sequenceOf } from '../../../protocol/track.js'
import { yieldToOthers } from '../../../thread-priority.js'
import type { DueCall, EndedCall, KeptPart, LifecycleFacts } from '../../journal.js'
import { packetPageFile } from '../../packet-page-file.js'
import { transcriptFile } from '../../transcript-file.js'
import { CallNames } from '../call-names.js'
import { databasePath, openForReading } from '../files/database.js'
import { isUnreadable } from '../files/sqlite-error.js'
import { packetsOf } from '../packet-record.js'
import type {
  FromReader,
  Question,
  ReaderData,
  ReadName,
  Reads,
  Reply,
  ToReader,
} from '../thread-messages.js'
import { CallPages } from './call-list.js'
import { DamagedCalls } from './damaged-calls.js'
import { type CallTableRow, storedCall } from './stored-call-row.js'
import { factsIn, type LifecycleTextRow, lifecycleTextColumns, textIn } from './stored-lifecycle.js'
import { StoredPackets } from './stored-packets.js'

type Answers = { [Name in ReadName]: (query: Reads[Name]['query']) => Reads[Name]['answer'] }

const { dataDir, yields } = workerData as ReaderData
if (yields) yieldToOthers('reader')
const db = openForReading(databasePath(dataDir))
const stored = new StoredPackets(db)
/** Met in this turn. */
const damaged: string[] = []
const callPages = new CallPages(db, (damage) => damaged.push(damage))
const damagedCalls = new DamagedCalls(db)

const keyById = db.prepare<[string], number>('SELECT key FROM calls WHERE call_id = ?').pluck()
const callByKey = db.prepare<[number], CallTableRow>('SELECT * FROM calls WHERE key = ?')
const dueCalls = db.prepare<{ dueAt: number; key: number; through: number; limit: number }, DueCall>(
  `SELECT key, call_id AS callId, due_at AS dueAt FROM calls
   WHERE due_at IS NOT NULL AND (due_at, key) > (:dueAt, :key) AND due_at <= :through ORDER BY due_at, key LIMIT :limit`,
)
const endedCalls = db.prepare<{ endedAt: number; key: number; through: number; limit: number }, EndedCall>(
  `SELECT key, call_id AS callId, ended_at AS endedAt FROM calls
   WHERE ended_at IS NOT NULL AND (ended_at, key) > (:endedAt, :key) AND ended_at <= :through
   ORDER BY ended_at, key LIMIT :limit`,
)
const counts = db.prepare<[], { state: CallState; count: number }>(
  'SELECT state, count(*) AS count FROM calls GROUP BY state',
)
const allNames = db.prepare<[], CallId>('SELECT call_id FROM calls').pluck()
const lastEnded = db.prepare<[number], { key: number; callId: CallId }>(
  'SELECT key, call_id AS callId FROM calls WHERE ended_at IS NOT NULL ORDER BY ended_at DESC, key DESC LIMIT ?',
)
// The plus: a search in a damaged index may come to a row of another call, so each row is looked at once more.
const textsOf = `SELECT ${lifecycleTextColumns}
   FROM (SELECT key FROM calls WHERE call_id = ?) AS call CROSS JOIN lifecycle
   WHERE call_key = call.key AND +call_key = call.key AND type IN (?, ?) ORDER BY version`
const transcriptText = db.prepare<[string, string, string], LifecycleTextRow>(`${textsOf} DESC LIMIT 1`)
const keptParts = db.prepare<[string, string, string], LifecycleTextRow>(textsOf)

/** In a row whose name has changed the index still has the true one. */
function named<Row extends { readonly key: number; readonly callId: CallId }>(row: Row): Row {
  if (keyById.get(row.callId) === row.key) return row
  return { ...row, callId: damagedCalls.find(row.key)?.callId ?? row.callId }
}

function keptPart(row: LifecycleTextRow): KeptPart | null {
  try {
    const text = textIn(row).toString()
    const { key } = factsIn(row) as Extract<LifecycleFacts, { type: 'analysis-kept' }>
    return { key, text }
  } catch (error) {
    if (!(error instanceof StoredDamage)) throw error
    damaged.push(error.message)
    return null
  }
}

const answers: Answers = {
  call({ callId }) {
    const key = keyById.get(callId)
    if (key === undefined) return null
    try {
      const row = callByKey.get(key)
      if (row?.call_id === callId) return storedCall(row)
      throw new StoredDamage(`the row of the call with key ${key} is damaged`)
    } catch (error) {
      if (!isUnreadable(error)) throw error
      damaged.push(messageOf(error))
      return damagedCalls.named(key, callId)
    }
  },

  entries: ({ callKey, afterVersion, pending }) =>
    stored.wholeEntries(callKey, afterVersion, pending.records),

  calls: (query) => callPages.page(query),

  packets: ({ callKey, from, limit, pending, into }) => stored.page(callKey, from, limit, pending, into),

  packetPage({ callKey, from, limit, pending }) {
    const { records, nextFrom } = stored.page(callKey, from, limit, pending)
    return packetPageFile(packetsOf(records), nextFrom === null ? null : sequenceOf(nextFrom))
  },

  due({ after, through, limit }) {
    // SQLite has no infinities to bind for integers to be compared with.
    const dueAt = Math.max(after.dueAt, Number.MIN_SAFE_INTEGER)
    return dueCalls.all({ dueAt, key: after.key, through, limit }).map(named)
  },

  ended: ({ after, through, limit }) => endedCalls.all({ ...after, through, limit }).map(named),

  lastEnded: ({ limit }) => lastEnded.all(limit).map((row) => named(row).callId),

  transcript(query) {
    const row = transcriptText.get(query.callId, 'analysed', 'heard')
    return row === undefined ? null : transcriptFile(query, { type: row.type, text: textIn(row) })
  },

  /** One that is damaged is asked for again. */
  kept: ({ callId }) =>
    [...keptParts.iterate(callId, 'analysis-kept', 'analysis-kept')].flatMap((row) => keptPart(row) ?? []),

  names() {
    const names = new CallNames()
    try {
      for (const callId of allNames.iterate()) names.add(callId)
      return names.words as Uint32Array<ArrayBuffer>
    } catch {
      // Whoever asks for a call that is damaged is told. Without the filter each new call is looked for.
      return null
    }
  },

  stateCounts() {
    const found = new Map(counts.all().map(({ state, count }) => [state, count]))
    return Object.fromEntries(callStates.map((state) => [state, found.get(state) ?? 0])) as Record<
      CallState,
      number
    >
  },
}

const port = parentPort
if (port === null) throw new Error('reader-thread is not a program')
const tell = (message: FromReader, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer)

function answerTo<Name extends ReadName>(name: Name, query: Reads[Name]['query']): Reads[Name]['answer'] {
  return answers[name](query)
}

function reply({ id, name, query }: Question, transfer: ArrayBuffer[]): Reply {
  try {
    const answer = answerTo(name, query)
    if (name === 'packets') transfer.push((answer as Reads['packets']['answer']).records.buffer)
    if (name === 'packetPage') transfer.push((answer as Reads['packetPage']['answer']).text.buffer)
    if (answer instanceof Uint8Array || answer instanceof Uint32Array)
      transfer.push(answer.buffer as ArrayBuffer)
    return { id, answer }
  } catch (error) {
    const failure = messageOf(error)
    if (isUnreadable(error)) damaged.push(failure)
    return { id, failure, isDamage: isUnreadable(error) }
  }
}

port.on('message', (message: ToReader) => {
  if (message.type === 'close') {
    db.close()
    tell({ type: 'closed' })
    port.close()
    return
  }
  const transfer: ArrayBuffer[] = []
  const replies = message.questions.map((question) => reply(question, transfer))
  tell({ type: 'replies', replies, damaged: damaged.splice(0) }, transfer)
})
tell({ type: 'opened' })
