/** Errors on the wire: RFC 9457 problem documents. The one table of status codes. */
import Type, { type Static } from 'typebox'
import type { ErrorCode, VoiceStreamError } from '../errors.js'

export const Problem = Type.Object(
  {
    type: Type.String({ description: 'A URI reference that names the kind of problem.' }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    errors: Type.Array(Type.Object({ path: Type.String(), message: Type.String() })),
  },
  { $id: 'Problem', description: 'RFC 9457. A 4xx has no side effect; a 5xx means: unknown, send it again.' },
)
export type Problem = Static<typeof Problem>

interface ProblemKind {
  readonly status: string
  readonly title: string
  /** Seconds for `Retry-After`, where trying again makes sense. */
  readonly retryAfter?: number
  /** The rest of such a request cannot be told from the next one, or is not worth reading. */
  readonly closes?: true
  readonly headers?: readonly (readonly [name: string, value: string])[]
}

export const problemKinds: Readonly<Record<ErrorCode, ProblemKind>> = {
  malformed_request: { status: '400 Bad Request', title: 'Malformed request', closes: true },
  malformed_json: { status: '400 Bad Request', title: 'Malformed JSON' },
  invalid_call_id: { status: '400 Bad Request', title: 'Invalid call id' },
  invalid_query: { status: '400 Bad Request', title: 'Invalid query' },
  unauthenticated: {
    status: '401 Unauthorized',
    title: 'Not authenticated',
    headers: [['WWW-Authenticate', 'Bearer']],
  },
  forbidden: { status: '403 Forbidden', title: 'Not allowed' },
  origin_refused: { status: '403 Forbidden', title: 'Origin not allowed' },
  host_refused: { status: '403 Forbidden', title: 'Host not allowed', closes: true },
  not_found: { status: '404 Not Found', title: 'Not found' },
  call_not_found: { status: '404 Not Found', title: 'Unknown call' },
  no_audio: { status: '404 Not Found', title: 'No audio' },
  no_transcript: { status: '404 Not Found', title: 'No transcript' },
  not_redacted: { status: '409 Conflict', title: 'Not redacted' },
  still_receiving: { status: '409 Conflict', title: 'Still receiving' },
  not_live: { status: '409 Conflict', title: 'Not live' },
  range_not_satisfiable: { status: '416 Range Not Satisfiable', title: 'Range not satisfiable' },
  method_not_allowed: { status: '405 Method Not Allowed', title: 'Method not allowed' },
  total_packets_conflict: { status: '409 Conflict', title: 'Conflicting completion' },
  call_details_conflict: { status: '409 Conflict', title: 'Conflicting start' },
  call_not_failed: { status: '409 Conflict', title: 'Nothing to retry' },
  body_too_large: { status: '413 Content Too Large', title: 'Body too large', closes: true },
  unsupported_media_type: { status: '415 Unsupported Media Type', title: 'Unsupported media type' },
  schema_violation: { status: '422 Unprocessable Content', title: 'Invalid content' },
  upgrade_required: { status: '426 Upgrade Required', title: 'WebSocket upgrade required' },
  rate_limited: { status: '429 Too Many Requests', title: 'Too many requests', retryAfter: 1 },
  // Closed, so that each further guess costs a connection.
  too_many_failures: {
    status: '429 Too Many Requests',
    title: 'Too many failed authentications',
    retryAfter: 60,
    closes: true,
  },
  internal: { status: '500 Internal Server Error', title: 'Internal error' },
  overloaded: { status: '503 Service Unavailable', title: 'Overloaded', retryAfter: 1 },
  commit_failed: { status: '503 Service Unavailable', title: 'Not stored', retryAfter: 1 },
  disk_full: { status: '503 Service Unavailable', title: 'Disk full', retryAfter: 1 },
  // No Retry-After: it does not pass by itself.
  stored_damage: { status: '500 Internal Server Error', title: 'Damaged in the store' },
  read_failed: { status: '503 Service Unavailable', title: 'Cannot be read', retryAfter: 1 },
  version_conflict: { status: '503 Service Unavailable', title: 'Changed elsewhere', retryAfter: 1 },
  starting: { status: '503 Service Unavailable', title: 'Starting', retryAfter: 1 },
  draining: { status: '503 Service Unavailable', title: 'Shutting down', retryAfter: 5, closes: true },
  timed_out: { status: '503 Service Unavailable', title: 'Timed out', retryAfter: 1, closes: true },
}

export function problemOf(error: VoiceStreamError): Problem {
  const kind = problemKinds[error.code]
  return {
    type: `urn:voicestream:problem:${error.code}`,
    title: kind.title,
    status: Number(kind.status.slice(0, 3)),
    // An internal error is for the log; a caller could neither use nor be trusted with it.
    detail: error.code === 'internal' ? 'the request could not be served' : error.message,
    errors: [...error.fields],
  }
}
