/** What becomes of a message of a node's own. Guards against an unknown outcome that is guessed, in either direction. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AppendPath } from '../../../src/store/cluster/append-path.js'
import type { AppendOutcome, Log, LogAppend } from '../../../src/store/log.js'
import { FakeClock } from '../../support/fake-clock.js'

const unknown: AppendOutcome = { kind: 'unknown', reason: 'no outcome in time' }

/** A log that answers what the test says, at once. */
function open(last = 5, appliedThrough = 9) {
  const clock = new FakeClock()
  const attempts: LogAppend[] = []
  const outcomes: AppendOutcome[] = []
  const log: Pick<Log, 'append'> = {
    append: (attempt, settled) => {
      attempts.push(attempt)
      const outcome = outcomes.shift()
      if (outcome !== undefined) clock.after(0, () => settled(outcome))
    },
  }
  const path = new AppendPath(log as Log, clock, 'vs.log.a', last, appliedThrough)
  const told: string[] = []
  const append = (id: string, ...answers: AppendOutcome[]) => {
    outcomes.push(...answers)
    path.append(id, new Uint8Array(), {
      stored: (at) => told.push(`${id} stored at ${at}`),
      fenced: () => told.push(`${id} fenced`),
    })
  }
  const applied = (sequence: number, id: string, subject = 'vs.log.a') =>
    path.applied({ sequence, subject, id })
  return { clock, path, attempts, told, append, applied }
}

test('an outcome that is unknown is asked for again, the same message with the same expectation', async () => {
  const { clock, path, attempts, told, append } = open()
  append('r.1', ...new Array<AppendOutcome>(40).fill(unknown), { kind: 'stored', at: 12 })
  await clock.advance(5000)
  assert.equal(attempts.length, 41)
  assert(
    attempts.every(({ id, expected, subject }) => id === 'r.1' && expected === 5 && subject === 'vs.log.a'),
  )
  assert.deepEqual([told, path.last, path.isBusy], [['r.1 stored at 12'], 12, false])
})

test('a refusal is believed once what refused it has been applied: fenced, where our message is not among it', async () => {
  const { clock, path, told, append, applied } = open()
  append('r.1', { kind: 'refused', last: 12 })
  await clock.advance(10)
  applied(10, 'q.1', 'vs.log.b')
  applied(11, 'q.2', 'vs.log.b')
  assert.deepEqual([told, path.isBusy], [[], true])
  applied(12, 'q.3')
  assert.deepEqual([told, path.last], [['r.1 fenced'], 12])
})

test('stored, where it is: and the next one is refused by what stands behind it', async () => {
  const { clock, path, attempts, told, append, applied } = open()
  append('r.1', unknown, { kind: 'refused', last: 12 })
  await clock.advance(100)
  applied(10, 'r.1')
  assert.deepEqual(told, ['r.1 stored at 10'])
  assert.equal(path.last, 10)
  append('r.2', { kind: 'refused', last: 12 })
  await clock.advance(10)
  assert.equal(attempts.at(-1)?.expected, 10)
  applied(11, 'q.1', 'vs.log.b')
  applied(12, 'q.2')
  assert.deepEqual(told, ['r.1 stored at 10', 'r.2 fenced'])
})

test('a subject that was trimmed fences with 0 at once', async () => {
  const { clock, path, told, append } = open()
  append('r.1', { kind: 'refused', last: 0 })
  await clock.advance(10)
  assert.deepEqual([told, path.last], [['r.1 fenced'], 0])
})

test('after its end nobody is told anything, and nothing is asked', async () => {
  const { clock, path, attempts, told, append } = open()
  append('r.1', unknown, { kind: 'stored', at: 12 })
  path.close()
  await clock.advance(1000)
  assert.deepEqual([attempts.length, told], [1, []])
})
