/** The oracle of lives: it reports every broken rule, and nothing where none is. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { judgeLives, type Lives, type Sighting, type State, type StateChange } from './lifecycle-oracle.js'

const whole: readonly StateChange[] = [
  { call: 'c1', from: 'IN_PROGRESS', to: 'COMPLETED' },
  { call: 'c1', from: 'COMPLETED', to: 'PROCESSING_AI' },
  { call: 'c1', from: 'PROCESSING_AI', to: 'ARCHIVED' },
]

function sighting(state: State, attempts = 0, endedAt: string | null = null, redrives = 0): Sighting {
  return { call: 'c1', state, attempts, endedAt, redrives }
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

describe('a retry', () => {
  const failed: StateChange = { call: 'c1', from: 'PROCESSING_AI', to: 'FAILED' }
  const retry: StateChange = { call: 'c1', from: 'FAILED', to: 'PROCESSING_AI' }
  const archived: StateChange = { call: 'c1', from: 'PROCESSING_AI', to: 'ARCHIVED' }
  const begun = whole.slice(0, 2)
  const sightings = [
    sighting('PROCESSING_AI', 5),
    sighting('FAILED', 5, 'noon'),
    sighting('PROCESSING_AI', 1, null, 1),
    sighting('ARCHIVED', 2, 'one', 1),
  ]

  test('that was asked for begins another life, with attempts and an end of its own', () => {
    const changes = [...begun, failed, retry, failed, retry, archived]
    assert.deepEqual(kinds({ changes, sightings, completed: ['c1'], retried: ['c1', 'c1'] }), [])
    // Nobody was told that it began: the process was killed right behind its answer.
    assert.deepEqual(kinds({ changes: [...begun, failed, archived], retried: ['c1'] }), [])
    assert.deepEqual(kinds({ changes: [...begun, failed, archived] }), ['ended-twice'])
  })

  test('that nobody asked for, or one more than were asked for, is reported', () => {
    assert.deepEqual(kinds({ changes: [...begun, failed, retry, archived] }), ['bad-edge'])
    const changes = [...begun, failed, retry, failed, retry, archived]
    assert.deepEqual(kinds({ changes, retried: ['c1'] }), ['bad-edge'])
    assert.deepEqual(kinds({ changes, retried: ['c2', 'c2'] }), ['bad-edge'])
    assert.deepEqual(kinds({ sightings }), ['bad-edge'])
  })

  test('of what was archived is reported', () => {
    assert.deepEqual(kinds({ changes: [...whole, retry, archived], retried: ['c1'] }), ['ended-twice'])
    const after = [sighting('ARCHIVED', 1, 'noon'), sighting('PROCESSING_AI', 0, null, 1)]
    assert.deepEqual(kinds({ sightings: after, retried: ['c1'] }), ['ended-twice'])
    const back: StateChange = { call: 'c1', from: 'ARCHIVED', to: 'PROCESSING_AI' }
    assert.deepEqual(kinds({ changes: [...whole, back], retried: ['c1'] }), ['bad-edge', 'backwards'])
  })

  test('does not excuse what is wrong within a life', () => {
    assert.deepEqual(kinds({ changes: [...begun, failed, retry, failed, archived], retried: ['c1'] }), [
      'ended-twice',
    ])
    const forgotten = [...sightings.slice(0, 2), sighting('PROCESSING_AI', 0)]
    assert.deepEqual(kinds({ sightings: forgotten, retried: ['c1'] }), [
      'backwards',
      'backwards',
      'ended-twice',
    ])
  })
})
