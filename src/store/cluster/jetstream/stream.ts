/** The stream that is the log: how it must be configured, and what it holds. */

import { limits } from '../../../limits.js'
import { duplicateMs } from '../../log.js'
import { messageFormat } from '../message.js'
import { subjectOf } from '../subjects.js'
import { type Engine, EngineError } from './engine.js'

const nanosPerMs = 1_000_000
const noSuchStream = 10_059
export const replicas = 3
/** In its metadata: of which log it is, and what its messages are. */
const baseField = 'voicestream'
const formatField = 'format'

export interface StreamPlan {
  readonly name: string
  /** Of the log: no other log has it. */
  readonly base: string
  /** A log that is larger takes nothing more. */
  readonly bytesMax: number
}

export interface StreamState {
  /** Of which log it is; empty where another program made the stream. */
  readonly base: string
  /** The first message that is held, or the next one to come. */
  readonly first: number
  /** The last message that was stored, also where it is trimmed. */
  readonly last: number
}

type Configuration = Readonly<Record<string, unknown>>

export interface StreamInfo {
  readonly config: Configuration & {
    readonly metadata?: Readonly<Record<string, string>>
    readonly max_bytes: number
  }
  readonly created: string
  readonly state: { readonly first_seq: number; readonly last_seq: number; readonly bytes: number }
  readonly cluster?: {
    readonly leader?: string
    readonly replicas?: readonly {
      readonly name: string
      readonly current: boolean
      readonly offline?: boolean
      readonly lag?: number
    }[]
  }
}

/** Nothing is dropped by age, number or size, and no message can be changed: only trimming takes messages away. */
function configurationOf(name: string): Configuration {
  return {
    name,
    subjects: [subjectOf('*')],
    storage: 'file',
    num_replicas: replicas,
    retention: 'limits',
    discard: 'new',
    max_age: 0,
    max_msgs: -1,
    max_msgs_per_subject: -1,
    max_msg_size: limits.logMessageBytesMax + limits.logHeaderBytesMax,
    max_consumers: -1,
    duplicate_window: duplicateMs * nanosPerMs,
    allow_direct: true,
    deny_delete: true,
    deny_purge: false,
    allow_rollup_hdrs: false,
    allow_msg_ttl: false,
    allow_atomic: false,
    allow_msg_counter: false,
    allow_msg_schedules: false,
    no_ack: false,
    sealed: false,
    compression: 'none',
  }
}

/** What the engine leaves out of its answer where it is so. */
const absent: Configuration = {
  max_age: 0,
  allow_direct: false,
  deny_delete: false,
  deny_purge: false,
  allow_rollup_hdrs: false,
  allow_msg_ttl: false,
  allow_atomic: false,
  allow_msg_counter: false,
  allow_msg_schedules: false,
  no_ack: false,
  sealed: false,
  compression: 'none',
}

/** What would have the engine store less, otherwise, or from elsewhere, and must not be there. */
const foreign = [
  'mirror',
  'sources',
  'subject_transform',
  'republish',
  'discard_new_per_subject',
  'first_seq',
] as const

/** How the stream that the engine has differs from what the log needs; empty where it does not. */
export function faultsOf(name: string, found: Configuration): string[] {
  const wanted = Object.entries(configurationOf(name)).flatMap(([key, value]) => {
    const is = found[key] ?? absent[key]
    return JSON.stringify(is) === JSON.stringify(value)
      ? []
      : [`${key} is ${JSON.stringify(is)}, not ${JSON.stringify(value)}`]
  })
  const strange = foreign.flatMap((key) => {
    const is = found[key]
    return is === undefined || is === null || is === false || is === 0
      ? []
      : [`${key} is ${JSON.stringify(is)}, not absent`]
  })
  const mode = found['persist_mode'] ?? 'default'
  const late =
    mode === 'default' || mode === '' ? [] : [`persist_mode is ${JSON.stringify(mode)}, not "default"`]
  const bytes = Number(found['max_bytes'])
  const boundless = bytes > 0 ? [] : [`max_bytes is ${bytes}, and the log needs a bound`]
  return [...wanted, ...strange, ...late, ...boundless]
}

/** Throws `EngineError` where there is a stream of that name, or of its subjects. */
export async function createStream(
  engine: Pick<Engine, 'api'>,
  { name, base, bytesMax }: StreamPlan,
): Promise<void> {
  const metadata = { [baseField]: base, [formatField]: String(messageFormat) }
  await engine.api(`STREAM.CREATE.${name}`, { ...configurationOf(name), max_bytes: bytesMax, metadata })
}

export function streamInfo(engine: Pick<Engine, 'api'>, name: string): Promise<StreamInfo> {
  return engine.api<StreamInfo>(`STREAM.INFO.${name}`)
}

/** Null where there is none. */
export async function findStream(engine: Pick<Engine, 'api'>, name: string): Promise<StreamInfo | null> {
  try {
    return await streamInfo(engine, name)
  } catch (error) {
    if (error instanceof EngineError && error.code === noSuchStream) return null
    throw error
  }
}

export async function streamState(engine: Pick<Engine, 'api'>, name: string): Promise<StreamState> {
  const info = await streamInfo(engine, name)
  const { first_seq, last_seq } = info.state
  // A stream without any message says that its first one is 0.
  return { base: markOf(info).base, first: Math.max(first_seq, 1), last: last_seq }
}

/** Of which log it is, and the format of its messages; empty where another program made the stream. */
export function markOf({ config: { metadata = {} } }: StreamInfo): { base: string; format: string } {
  return { base: metadata[baseField] ?? '', format: metadata[formatField] ?? '' }
}

/** Drops all messages through this one. */
export async function trimStream(engine: Pick<Engine, 'api'>, name: string, through: number): Promise<void> {
  const { first, last } = await streamState(engine, name)
  // The engine would go on behind what it was told, although no such message ever was.
  const end = Math.min(through, last)
  if (end >= first) await engine.api(`STREAM.PURGE.${name}`, { seq: end + 1 })
}
