/**
 * Moves what the write-ahead log holds into the database, beside the commits: a passive checkpoint on a connection of
 * its own blocks neither the writer nor the readers. It never gets all of it while commits go on: each pass leaves what
 * was written meanwhile, so each is shorter than the one before, and the writer, which cannot commit in that time, has
 * little left to move before the log starts anew.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { codeOf } from '../../../errors.js'
import { databasePath, openForCheckpoints, syncDatabase } from '../files/database.js'
import type { CheckpointerData, FromCheckpointer, ToCheckpointer } from '../thread-messages.js'

const passesMax = 4
/** 256 KiB: what the writer may be left with. */
const restPages = 64

const port = parentPort
if (port === null) throw new Error('checkpoint-thread is not a program')
const { dataDir, databaseFd } = workerData as CheckpointerData
const db = openForCheckpoints(databasePath(dataDir))

/**
 * So many pages of the log are in the database now. A passive checkpoint that was overtaken by a commit is not synced
 * (`walCheckpoint` in SQLite's wal.c): the last one would sync all of it, and that is the writer's, which cannot commit
 * meanwhile. So each pass is synced here.
 */
function moveOnce(): number {
  const [progress] = db.pragma('wal_checkpoint(PASSIVE)') as { checkpointed: number }[]
  syncDatabase(databaseFd)
  return progress?.checkpointed ?? 0
}

/** Each pass has less to move than the one before; the first one's own share is not known, and does not matter. */
function moveAll(): void {
  let before = 0
  for (let pass = 1; pass <= passesMax; pass++) {
    const checkpointed = moveOnce()
    if (pass > 1 && checkpointed - before <= restPages) return
    before = checkpointed
  }
}

port.on('message', (message: ToCheckpointer) => {
  if (message.type === 'close') {
    db.close()
    port.close()
    return
  }
  try {
    moveAll()
    port.postMessage({ type: 'done' } satisfies FromCheckpointer)
  } catch (error) {
    port.postMessage({
      type: 'failed',
      code: codeOf(error),
      message: String(error),
    } satisfies FromCheckpointer)
  }
})
