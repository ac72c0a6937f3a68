/**
 * The reader thread: answers reads from a connection of its own, so that neither a cold page nor a long scan holds the
 * loop that takes in packets. Every read is one short transaction on what is committed by then.
 */
import { parentPort, workerData } from 'node:worker_threads'
import type { CallState } from '../../protocol/call.js'
import type { CallId } from '../../protocol/call-id.js'
import { callStates } from '../../protocol/call-states.js'
import type { DueCall, EndedCall, KeptPart } from '../journal.js'
import { transcriptFile } from '../transcript-file.js'
import { CallPages } from './call-pages.js'
import { databasePath, openForReading } from './database.js'
import { type CallTableRow, storedCall } from './stored-call-row.js'
import { StoredPackets } from './stored-packets.js'
import type { FromReader, Question, ReadName, Reads, Reply, ToReader } from './thread-messages.js'

type Answers = { [Name in ReadName]: (query: Reads[Name]['query']) => Reads[Name]['answer'] }

const { dataDir } = workerData as { dataDir: string }
const db = openForReading(databasePath(dataDir))
const stored = new StoredPackets(db)
const callPages = new CallPages(db)

const callById = db.prepare<[string], CallTableRow>('SELECT * FROM calls WHERE call_id = ?')
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
const lastEnded = db
  .prepare<[number], CallId>(
    'SELECT call_id FROM calls WHERE ended_at IS NOT NULL ORDER BY ended_at DESC, key DESC LIMIT ?',
  )
  .pluck()
const transcriptText = db
  .prepare<[string], Buffer>(
    `SELECT CAST(text AS BLOB) FROM lifecycle WHERE call_key = (SELECT key FROM calls WHERE call_id = ?)
     AND entry ->> '$.type' IN ('analysed', 'heard') ORDER BY version DESC LIMIT 1`,
  )
  .pluck()
const keptParts = db.prepare<[string], KeptPart>(
  `SELECT entry ->> '$.key' AS key, text FROM lifecycle
   WHERE call_key = (SELECT key FROM calls WHERE call_id = ?) AND entry ->> '$.type' = 'analysis-kept' ORDER BY version`,
)

const answers: Answers = {
  call({ callId }) {
    const row = callById.get(callId)
    return row === undefined ? null : storedCall(row)
  },

  entries: ({ callKey, afterVersion, pending }) => [
    ...stored.entries(callKey, afterVersion, Buffer.from(pending.buffer, pending.byteOffset, pending.length)),
  ],

  calls: (query) => callPages.page(query),

  packets: ({ callKey, from, limit, pending }) =>
    stored.page(callKey, from, limit, Buffer.from(pending.buffer, pending.byteOffset, pending.length)),

  due({ after, through, limit }) {
    // SQLite has no infinities to bind for integers to be compared with.
    const dueAt = Math.max(after.dueAt, Number.MIN_SAFE_INTEGER)
    return dueCalls.all({ dueAt, key: after.key, through, limit })
  },

  ended: ({ after, through, limit }) => endedCalls.all({ ...after, through, limit }),

  lastEnded: ({ limit }) => lastEnded.all(limit),

  transcript({ callId, format }) {
    const text = transcriptText.get(callId)
    return text === undefined ? null : transcriptFile(callId, text, format)
  },

  kept: ({ callId }) => keptParts.all(callId),

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
    if (answer instanceof Uint8Array) transfer.push(answer.buffer as ArrayBuffer)
    return { id, answer }
  } catch (error) {
    return { id, failure: error instanceof Error ? error.message : String(error) }
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
  tell({ type: 'replies', replies: message.questions.map((question) => reply(question, transfer)) }, transfer)
})
tell({ type: 'opened' })
