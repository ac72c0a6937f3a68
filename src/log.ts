/**
 * The one importer of pino. Lines of one kind have a bound a second, and a later line counts those beyond it: what a
 * sender does wrong a thousand times a second must not fill the disk. What may be logged is a list, not what may not: a field that is not on it is left out by
 * name, whatever it holds, so packet data, transcripts and tokens have no way in. JSON only, because control characters
 * in a pretty line could pass for another line; for the eye: `npm start | npx pino-pretty`.
 */
import { type DestinationStream, pino } from 'pino'
import type { Config } from './config/config.js'
import { limits } from './limits.js'
import { RateLimit } from './rate-limit.js'

export const logFields = [
  'address',
  'appends',
  'calls',
  'call_id',
  'code',
  'config',
  'credential',
  'down_ms',
  'err',
  'host',
  'kind',
  'node',
  'port',
  'reason',
  'request_id',
  'route',
  'seconds',
  'sequence',
  'signal',
  'status',
  'total',
  'unlogged',
  'version',
] as const

export type LogFields = { readonly [Field in (typeof logFields)[number]]?: unknown }

interface LogLine {
  (fields: LogFields, message: string): void
  (message: string): void
}

export type Log = Readonly<Record<'debug' | 'info' | 'warn' | 'error' | 'fatal', LogLine>>

const listed: ReadonlySet<string> = new Set(logFields)

function onlyListed(fields: Record<string, unknown>): Record<string, unknown> {
  const entries = Object.entries(fields)
  const kept = entries.filter(([name]) => listed.has(name))
  if (kept.length === entries.length) return fields
  const unlisted = entries.map(([name]) => name).filter((name) => !listed.has(name))
  return { ...Object.fromEntries(kept), unlisted }
}

/**
 * Whose messages hold nothing of what was sent to us. A SyntaxError quotes the text that it could not parse, and a
 * provider's error may quote anything.
 */
const spokenTypes: ReadonlySet<string> = new Set([
  'Error',
  'VoiceStreamError',
  'ConfigError',
  'SqliteError',
  'TypeError',
  'RangeError',
  'AssertionError',
])
const causesMax = 3

export interface LoggedError {
  readonly type: string
  readonly code?: string
  readonly message?: string
  readonly stack?: readonly string[]
  readonly cause?: LoggedError
}

export function serializeError(error: unknown, depth = 0): LoggedError {
  if (!(error instanceof Error)) return { type: typeof error }
  const { name, message, stack, cause } = error
  const { code, generatedMessage } = error as { code?: unknown; generatedMessage?: unknown }
  // An assertion without a text of its own shows both values.
  const isSpoken = spokenTypes.has(name) && generatedMessage !== true
  // The frames without the lines before them, which repeat the message.
  const frames = stack?.split('\n').filter((line) => /^ {4}at /.test(line)) ?? []
  return {
    type: name,
    ...(typeof code === 'string' ? { code } : {}),
    ...(isSpoken ? { message } : {}),
    ...(isSpoken ? { stack: frames.map((frame) => frame.trim()) } : {}),
    ...(cause === undefined || depth >= causesMax ? {} : { cause: serializeError(cause, depth + 1) }),
  }
}

/** JSON lines. */
export function createLog(level: Config['LOG_LEVEL'], destination: DestinationStream): Log {
  const kinds = new LineKinds((at, fields, message) => log[at](fields, message))
  const log: Log = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { log: onlyListed },
      serializers: { err: (error: unknown) => serializeError(error) },
      hooks: {
        logMethod(words, write, levelNumber) {
          const message = String(words.at(-1))
          if (kinds.take(message, levelNumber)) write.apply(this, words)
        },
      },
    },
    destination,
  )
  return log
}

type BoundedLevel = Exclude<keyof Log, 'fatal'>

/** The kind of a line is its message, which is always a text of ours. */
class LineKinds {
  readonly #write: (level: BoundedLevel, fields: LogFields, message: string) => void
  readonly #lines = new RateLimit<string>(limits.logLinesPerSecond, limits.logLinesBurst)
  readonly #unlogged = new Map<string, { readonly level: BoundedLevel; lines: number }>()

  constructor(write: (level: BoundedLevel, fields: LogFields, message: string) => void) {
    this.#write = write
  }

  take(message: string, levelNumber: number): boolean {
    const level = pino.levels.labels[levelNumber] as keyof Log
    // There is one, and the process ends behind it.
    if (level === 'fatal' || message === countMessage || this.#lines.take(message)) return true
    if (this.#unlogged.size === 0) setTimeout(() => this.#tell(), limits.logCountMs).unref()
    const kind = this.#unlogged.get(message)
    if (kind === undefined) this.#unlogged.set(message, { level, lines: 1 })
    else kind.lines++
    return false
  }

  #tell(): void {
    const counted = [...this.#unlogged]
    this.#unlogged.clear()
    for (const [kind, { level, lines }] of counted)
      this.#write(level, { kind, unlogged: lines }, countMessage)
  }
}

const countMessage = 'more lines of this kind were left out'
