import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Compile } from 'typebox/compile'
import { type ErrorCode, VoiceStreamError } from '../../src/errors.js'
import { Problem, problemKinds, problemOf } from '../../src/protocol/problem.js'

/** The contract; the compiler sees to it that no code is left out. */
const statuses: Record<ErrorCode, number> = {
  malformed_request: 400,
  malformed_json: 400,
  unauthenticated: 401,
  forbidden: 403,
  origin_refused: 403,
  host_refused: 403,
  rate_limited: 429,
  too_many_failures: 429,
  invalid_call_id: 400,
  invalid_query: 400,
  not_found: 404,
  call_not_found: 404,
  no_audio: 404,
  no_transcript: 404,
  not_redacted: 409,
  still_receiving: 409,
  not_live: 409,
  range_not_satisfiable: 416,
  method_not_allowed: 405,
  total_packets_conflict: 409,
  call_not_failed: 409,
  call_details_conflict: 409,
  body_too_large: 413,
  unsupported_media_type: 415,
  schema_violation: 422,
  upgrade_required: 426,
  internal: 500,
  overloaded: 503,
  commit_failed: 503,
  disk_full: 503,
  read_failed: 503,
  stored_damage: 500,
  version_conflict: 503,
  starting: 503,
  draining: 503,
  timed_out: 503,
}

describe('the table of problems', () => {
  test('has every error with its status, and no other', () => {
    assert.deepEqual(
      Object.fromEntries(
        Object.entries(problemKinds).map(([code, { status }]) => [code, Number(status.slice(0, 3))]),
      ),
      statuses,
    )
    for (const { status, title } of Object.values(problemKinds)) {
      assert.match(status, /^[45]\d\d [A-Z][A-Za-z ]+$/)
      assert(title.length > 3)
    }
  })

  test('asks for another try where one may help, and nowhere else', () => {
    for (const [code, { status, retryAfter }] of Object.entries(problemKinds))
      assert.equal(retryAfter !== undefined && retryAfter >= 1, /^(503|429)/.test(status), code)
  })
})

describe('a problem document', () => {
  test('is one by its own schema, for every error', () => {
    const check = Compile(Problem)
    for (const code of Object.keys(statuses) as ErrorCode[]) {
      const problem = problemOf(
        new VoiceStreamError(code, 'what happened', { fields: [{ path: '/a', message: 'b' }] }),
      )
      assert.equal(check.Check(problem), true, code)
      assert.equal(problem.status, statuses[code])
      assert.equal(problem.type, `urn:voicestream:problem:${code}`)
      assert.deepEqual(problem.errors, [{ path: '/a', message: 'b' }])
    }
  })

  test('says nothing of what broke inside', () => {
    const cause = new Error('SELECT secret FROM calls')
    const problem = problemOf(new VoiceStreamError('internal', 'secret', { cause }))
    assert.doesNotMatch(JSON.stringify(problem), /secret/)
    assert.equal(
      problemOf(new VoiceStreamError('commit_failed', 'not stored', { cause })).detail,
      'not stored',
    )
  })
})
