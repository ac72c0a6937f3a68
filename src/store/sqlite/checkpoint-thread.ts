/**
 * Moves what the write-ahead log holds into the database, beside the commits: a passive checkpoint on a connection of
 * its own blocks neither the writer nor the readers. It never gets all of it while commits go on; the writer moves the
 * short rest itself and then starts the log anew.
 */
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { openForCheckpoints } from './schema.js'
import type { FromCheckpointer, ToCheckpointer } from './thread-messages.js'

const port = parentPort
if (port === null) throw new Error('checkpoint-thread is not a program')
const db = openForCheckpoints(join((workerData as { dataDir: string }).dataDir, 'voicestream.db'))

port.on('message', (message: ToCheckpointer) => {
  if (message.type === 'close') {
    db.close()
    port.close()
    return
  }
  try {
    db.pragma('wal_checkpoint(PASSIVE)')
    port.postMessage({ type: 'done' } satisfies FromCheckpointer)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'UNKNOWN'
    port.postMessage({ type: 'failed', code, message: String(error) } satisfies FromCheckpointer)
  }
})
