/** SQLite's check of a whole file takes as long as to read it and cannot be divided, so it has a thread of its own. */
import { parentPort, workerData } from 'node:worker_threads'
import { openForReading } from './database.js'

const { path } = workerData as { path: string }
const db = openForReading(path)
try {
  const found = db.pragma('integrity_check', { simple: false }) as { integrity_check: string }[]
  const faults = found.map(({ integrity_check }) => integrity_check).filter((fault) => fault !== 'ok')
  parentPort?.postMessage(faults)
} finally {
  db.close()
}
