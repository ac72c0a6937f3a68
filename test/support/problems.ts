/** What every refusal must be: an RFC 9457 document of the documented shape, with nothing of the inside in it. */
import assert from 'node:assert/strict'
import { Compile } from 'typebox/compile'
import { Problem } from '../../src/protocol/problem.js'
import type { Answer } from './http-client.js'

const problemCheck = Compile(Problem)
const inside =
  /codec|surrogate not allowed|at .*:\d+:\d+|node_modules|sqlite|JSON\.parse|Unexpected token|TypeError/i

export function assertProblem(answer: Answer, status: number): Problem {
  const shown = `${answer.status} ${answer.text.slice(0, 300)}`
  assert.equal(answer.status, status, shown)
  assert.equal(answer.headers['content-type'], 'application/problem+json', shown)
  assert(problemCheck.Check(answer.body), shown)
  const problem = answer.body as Problem
  assert.deepEqual(Object.keys(problem).sort(), ['detail', 'errors', 'status', 'title', 'type'], shown)
  assert.equal(problem.status, status)
  assert.match(problem.type, /^urn:voicestream:problem:[a-z_]+$/)
  assert(problem.title.length > 0 && problem.detail.length > 0, shown)
  assert(problem.detail.length < 500, 'a detail is a sentence')
  assert.doesNotMatch(answer.text, inside)
  if (status === 422) assert(problem.errors.length > 0, '422 says which member')
  return problem
}
