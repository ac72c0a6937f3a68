/** Exit codes, after sysexits.h. `simulate` has its own codes. */
import { AudioError } from '../audio/audio-format.js'
import { ConfigError } from '../config/config.js'
import { codeOf, NoStoredCalls, StoredDamage } from '../errors.js'

export const exitCodes = {
  ok: 0,
  /** The service cannot start; what is stored is damaged. */
  failed: 1,
  usage: 64,
  /** What is stored is not what was asked for: no audio. */
  badData: 65,
  /** There is no such database, or no such call in it. */
  notFound: 66,
  /** The servers of the shared log do not answer. */
  unavailable: 69,
  /** The file, or the log, to make is there already. */
  exists: 73,
  /** A file could not be read or written; the store failed while the service ran. */
  io: 74,
  badConfig: 78,
} as const

/** What a command expects to go wrong, in a line for people. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly exitCode: number

  constructor(exitCode: number, message: string, cause?: unknown) {
    super(message, { cause })
    this.exitCode = exitCode
  }
}

/** Null for what nobody expected: a bug, whose stack is wanted. */
export function exitCodeOf(error: unknown): number | null {
  if (error instanceof CommandError) return error.exitCode
  if (error instanceof ConfigError) return exitCodes.badConfig
  if (error instanceof NoStoredCalls) return exitCodes.notFound
  if (error instanceof StoredDamage) return exitCodes.failed
  if (error instanceof AudioError) return exitCodes.badData
  const code = codeOf(error)
  // A part of the program is not there: it is being replaced, or was not installed for this machine.
  if (code === 'ERR_MODULE_NOT_FOUND' || code === 'ERR_DLOPEN_FAILED') return exitCodes.failed
  if (code === 'SQLITE_CORRUPT' || code === 'SQLITE_NOTADB') return exitCodes.failed
  // Of the file system by its errno, and of SQLite where it cannot read or write.
  return /^(E[A-Z0-9]+|SQLITE_[A-Z_]+)$/.test(code) ? exitCodes.io : null
}
