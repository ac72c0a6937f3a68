/** The judge of the soak: a leak is seen through the noise of collections, and a flat line is one. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Sample } from './samples.js'
import { floors, theilSen } from './slope.js'
import { judgeSamples, warmUpMinutes } from './verdict.js'

describe('the slope by Theil and Sen', () => {
  test('is that of a line, whatever a few points say', () => {
    const line = [...Array(30).keys()].map((x) => [x, 5 + 2 * x] as const)
    assert.equal(theilSen(line), 2)
    const disturbed = line.map(([x, y]) => [x, x % 5 === 0 ? 1000 : y] as const)
    assert(Math.abs(theilSen(disturbed) - 2) < 0.3)
    assert.equal(theilSen([...Array(9).keys()].map((x) => [x, 7] as const)), 0)
    assert(Number.isNaN(theilSen([[1, 1]])))
  })

  test('is fitted to the lowest point of each window', () => {
    const saw = [...Array(40).keys()].map((x) => [x, 100 + (x % 10)] as const)
    assert.deepEqual(floors(saw, 4), [
      [0, 100],
      [10, 100],
      [20, 100],
      [30, 100],
    ])
  })
})

const quiet = {
  activeCalls: 0,
  activatingCalls: 0,
  armedDeadlines: 0,
  runningAnalyses: 0,
  supervisors: 0,
  queuedEntries: 0,
}

const sample = (minutes: number, changes: Partial<Sample> = {}): Sample => ({
  minutes,
  residentMib: 150,
  heapMib: 30,
  openFiles: 50,
  maps: quiet,
  tailMib: 1,
  walMib: 8,
  databaseMib: 9,
  openCalls: 0,
  ...changes,
})

/** Half an hour, a sample each five seconds: a warm-up, then a saw of 30 MiB and `leak` MiB a minute. */
function halfAnHour(
  leak: number,
  changes: (minutes: number) => Partial<Sample> = () => ({}),
): readonly Sample[] {
  return [...Array(361).keys()].map((i) => {
    const minutes = i / 12
    const residentMib = 150 + Math.min(minutes, 4) * 20 + (minutes % 2) * 15 + leak * minutes
    return sample(minutes, { residentMib, ...changes(minutes) })
  })
}

function missed(loaded: readonly Sample[], last = sample(33)): readonly string[] {
  const series = {
    judgedFromMinutes: warmUpMinutes(30),
    before: sample(0),
    loaded,
    after: [sample(31), last],
  }
  return judgeSamples(series)
    .filter(({ isMet }) => !isMet)
    .map(({ name }) => name.split(/[:,]| once/)[0] ?? '')
}

describe('the verdict on half an hour', () => {
  test('is met by memory that rises while it warms up, and then only between collections', () => {
    assert.deepEqual(missed(halfAnHour(0)), [])
    assert.deepEqual(missed(halfAnHour(0.5)), [])
  })

  test('finds a leak of two MiB a minute', () => {
    assert.deepEqual(missed(halfAnHour(2)), ['resident memory'])
  })

  test('finds files that stay open, and not those of supervisors', () => {
    assert.deepEqual(missed(halfAnHour(0, (minutes) => ({ openFiles: 50 + Math.floor(minutes) }))), [
      'open files but supervisors’',
    ])
    const supervised = halfAnHour(0, (minutes) => {
      const supervisors = Math.floor(minutes)
      return { openFiles: 50 + supervisors, maps: { ...quiet, supervisors } }
    })
    assert.deepEqual(missed(supervised), [])
    assert.deepEqual(missed(halfAnHour(0), sample(33, { openFiles: 60 })), ['open files after the load'])
  })

  test('finds what is left in a map, and a call that has not ended', () => {
    const held = sample(33, { maps: { ...quiet, armedDeadlines: 1 } })
    assert.deepEqual(missed(halfAnHour(0), held), ['actors and maps'])
    assert.deepEqual(missed(halfAnHour(0), sample(33, { openCalls: 1 })), ['actors and maps'])
  })
})
