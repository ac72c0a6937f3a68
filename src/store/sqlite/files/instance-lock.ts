/**
 * One process a data folder. The lock is an exclusive SQLite transaction on a file of its own, held for the life of
 * the process: the kernel drops it with the process, however that ends, so there is no stale lock to clean up.
 */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { messageOf } from '../../../errors.js'

/** Throws when another process holds it; otherwise returns how to give it back. */
export function takeInstanceLock(dataDir: string): () => void {
  const lock = new Database(lockPath(dataDir), { timeout: 0 })
  try {
    lock.exec('BEGIN EXCLUSIVE')
  } catch (cause) {
    lock.close()
    const isTaken = cause instanceof Error && 'code' in cause && cause.code === 'SQLITE_BUSY'
    if (isTaken) throw new Error(`another instance uses the data folder ${dataDir}`, { cause })
    throw new Error(`cannot lock the data folder ${dataDir}: ${messageOf(cause)}`, { cause })
  }
  return () => lock.close()
}

export function lockPath(dataDir: string): string {
  return join(dataDir, 'voicestream.lock')
}

/** Whether an instance uses the folder now. Looks without taking the lock. */
export function isInstanceRunning(dataDir: string): boolean {
  const path = lockPath(dataDir)
  if (!existsSync(path)) return false
  const lock = new Database(path, { readonly: true, timeout: 0 })
  try {
    lock.prepare('SELECT count(*) FROM sqlite_schema').get()
    return false
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'SQLITE_BUSY') return true
    throw error
  } finally {
    lock.close()
  }
}
