/** The oracle of lives: it reports every broken rule, and nothing where none is. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judgeLives, type Lives, type Sighting, type State, type StateChange } from './lifecycle-oracle.js'

const whole: readonly StateChange[] = [
  { call: 'c1', from: 'IN_PROGRESS', to: 'COMPLETED' },
  { call: 'c1', from: 'COMPLETED', to: 'PROCESSING_AI' },
  { call: 'c1', from: 'PROCESSING_AI', to: 'ARCHIVED' },
]

function sighting(state: State, attempts = 0, endedAt: string | null = null): Sighting {
  return { call: 'c1', state, attempts, endedAt }
}

function kinds(lives: Partial<Lives>): readonly string[] {
  return judgeLives({ changes: [], sightings: [], completed: [], attemptsMax: 5, ...lives }).map(
    ({ kind }) => kind,
  )
}

test('a life that went forwards and ended once is not reported', () => {
  const sightings = [sighting('COMPLETED'), sighting('PROCESSING_AI', 2), sighting('ARCHIVED', 3, 'noon')]
  assert.deepEqual(kinds({ changes: whole, sightings, completed: ['c1'] }), [])
})

test('a change along no edge is reported', () => {
  assert.deepEqual(kinds({ changes: [{ call: 'c1', from: 'COMPLETED', to: 'ARCHIVED' }] }), ['bad-edge'])
})

test('a change that is told again after a restart is reported', () => {
  assert.deepEqual(kinds({ changes: [...whole.slice(0, 2), ...whole.slice(1)] }), ['repeated'])
})

test('two ends of one call are reported', () => {
  const failed: StateChange = { call: 'c1', from: 'PROCESSING_AI', to: 'FAILED' }
  assert.deepEqual(kinds({ changes: [...whole, failed] }), ['ended-twice'])
})

test('a state that was left and is told or seen again is reported', () => {
  assert.deepEqual(kinds({ changes: whole.toReversed() }), ['backwards', 'backwards'])
  assert.deepEqual(kinds({ sightings: [sighting('PROCESSING_AI'), sighting('COMPLETED')] }), ['backwards'])
})

test('attempts that are forgotten, or that are too many, are reported', () => {
  assert.deepEqual(kinds({ sightings: [sighting('PROCESSING_AI', 3), sighting('PROCESSING_AI', 2)] }), [
    'backwards',
  ])
  assert.deepEqual(kinds({ sightings: [sighting('PROCESSING_AI', 6)] }), ['too-many-attempts'])
})

test('an end that changes is reported', () => {
  const sightings = [sighting('ARCHIVED', 1, 'noon'), sighting('ARCHIVED', 1, 'one')]
  assert.deepEqual(kinds({ sightings }), ['ended-twice'])
  assert.deepEqual(kinds({ sightings: [sighting('ARCHIVED', 1, 'noon'), sighting('FAILED', 1, 'noon')] }), [
    'ended-twice',
  ])
})

test('a completed call that has not ended, or was never seen, is reported', () => {
  assert.deepEqual(kinds({ completed: ['c1'] }), ['not-ended'])
  assert.deepEqual(kinds({ sightings: [sighting('PROCESSING_AI')], completed: ['c1'] }), ['not-ended'])
})
