import assert from 'node:assert/strict'
import { patience } from '../support/patience.js'
import type { Refusal } from '../torture/refusal.js'

/** A start that ended in time, with one clear line and an exit code that says so. */
export function assertRefused(refusal: Refusal, reason: RegExp, msMax: number): void {
  assert.notEqual(refusal.code, null, 'it did not end')
  assert.notEqual(refusal.code, 0)
  assert(refusal.ms <= patience(msMax), `it took ${Math.round(refusal.ms)} ms`)
  assert.equal(refusal.reasons.length, 1, `one clear line, not ${JSON.stringify(refusal)}`)
  assert.match(refusal.reasons[0] ?? '', reason)
  assert.equal(refusal.stderr, '')
}
