/** The one importer of pino. Packet data and transcripts are never passed to it. */
import { type Logger, pino } from 'pino'
import type { Config } from './config.js'

export type Log = Pick<Logger, 'info' | 'warn' | 'error' | 'fatal' | 'debug'>

/** JSON lines on stdout, written at once: the last lines before a crash are the ones that matter. */
export function createLog(level: Config['LOG_LEVEL']): Log {
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: 1, sync: true }),
  )
}
