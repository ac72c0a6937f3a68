import { constants } from 'node:os'
import { shortened } from './quoted.js'

/** Expected errors, caused by a caller or by the environment. `protocol/problem.ts` has the status of each code. */
export type ErrorCode =
  | 'malformed_request'
  | 'malformed_json'
  | 'unauthenticated'
  | 'forbidden'
  | 'origin_refused'
  | 'host_refused'
  | 'rate_limited'
  | 'too_many_failures'
  | 'invalid_call_id'
  | 'invalid_query'
  | 'not_found'
  | 'call_not_found'
  | 'no_audio'
  | 'no_transcript'
  | 'still_receiving'
  | 'not_redacted'
  | 'not_live'
  | 'range_not_satisfiable'
  | 'method_not_allowed'
  | 'total_packets_conflict'
  | 'call_not_failed'
  | 'call_details_conflict'
  | 'body_too_large'
  | 'unsupported_media_type'
  | 'upgrade_required'
  | 'schema_violation'
  | 'overloaded'
  | 'commit_failed'
  | 'disk_full'
  | 'read_failed'
  | 'stored_damage'
  | 'starting'
  | 'draining'
  | 'timed_out'
  | 'version_conflict'
  | 'internal'

export interface FieldError {
  readonly path: string
  readonly message: string
}

const messageCharactersMax = 400

/** Bounded, whatever of the request it quotes: a path may hold the name of a member. */
export class VoiceStreamError extends Error {
  readonly code: ErrorCode
  readonly fields: readonly FieldError[]

  constructor(
    code: ErrorCode,
    message: string,
    options?: { cause?: unknown; fields?: readonly FieldError[] },
  ) {
    super(
      shortened(message, messageCharactersMax),
      options?.cause === undefined ? undefined : { cause: options.cause },
    )
    this.name = 'VoiceStreamError'
    this.code = code
    this.fields = (options?.fields ?? []).map(({ path, message }) => ({
      path: shortened(path),
      message: shortened(message, messageCharactersMax),
    }))
  }
}

/** The code of an error of the system, of Node or of SQLite. libuv has no name for EDQUOT. */
export function codeOf(error: unknown): string {
  const { code, errno } = error instanceof Error ? (error as NodeJS.ErrnoException) : {}
  return errno === -constants.errno.EDQUOT ? 'EDQUOT' : String(code ?? 'UNKNOWN')
}

/** Of whatever was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}

/** A stored row is not what was written: asking again brings the same. */
export function isDamage(error: unknown): boolean {
  return error instanceof VoiceStreamError && error.code === 'stored_damage'
}

/** Bytes on disk cannot be read as they were written. The message says where. */
export class StoredDamage extends Error {
  override readonly name = 'StoredDamage'
}

/** There is no database at that place that this program can read. */
export class NoStoredCalls extends Error {
  override readonly name = 'NoStoredCalls'
}

/** The compiler refuses a `switch` that forgot a case. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`)
}
