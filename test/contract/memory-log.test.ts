/** The log in memory keeps the contract, and its faults are those of a real one: the simulation is worth as much as they are. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Clock } from '../../src/clock.js'
import { type AppendOutcome, duplicateMs, type Log } from '../../src/store/log.js'
import { FakeClock } from '../support/fake-clock.js'
import { MemoryLog } from '../support/memory-log.js'
import { logContract } from './log-contract.js'

/** Timers without a delay fire at the next turn of the loop, and time stands still but for what a test adds. */
class TurnClock implements Clock {
  #now = 0
  now(): number {
    return this.#now
  }
  after(delayMs: number, task: () => void): () => void {
    if (delayMs > 0) return () => {}
    const turn = setImmediate(task)
    return () => clearImmediate(turn)
  }
  add(ms: number): void {
    this.#now += ms
  }
}

logContract('the log in memory', async () => {
  const clock = new TurnClock()
  const memory = new MemoryLog({ clock })
  const idsForgotten = async () => clock.add(duplicateMs)
  return { log: memory.connect(), other: memory.connect(), idsForgotten }
})

describe('a fault of the log in memory', () => {
  const open = () => {
    const clock = new FakeClock()
    const memory = new MemoryLog({ clock, delayMs: () => 5, attemptMs: 2000 })
    const outcomes: AppendOutcome[] = []
    const log = memory.connect()
    const append = (expected: number, id: string) => appendTo(log, expected, id, outcomes)
    const taken: string[] = []
    log.follow(0, { take: ({ id }) => taken.push(id), trimmed: () => {}, lost: () => {} })
    return { clock, memory, log, append, outcomes, taken }
  }
  const appendTo = (log: Log, expected: number, id: string, outcomes: AppendOutcome[]) =>
    log.append({ subject: 's', expected, id, body: new Uint8Array([1, 2, 3]) }, (outcome) =>
      outcomes.push(outcome),
    )

  test('holds everything while it stands still, and nothing is lost', async () => {
    const { clock, memory, append, outcomes, taken } = open()
    memory.stall()
    append(0, 'a')
    await clock.advance(1000)
    assert.deepEqual([outcomes, taken], [[], []])
    memory.resume()
    await clock.advance(20)
    assert.deepEqual([outcomes, taken], [[{ kind: 'stored', at: 1 }], ['a']])
  })

  test('forgets an outcome: the message is stored, and the same id is answered with its place', async () => {
    const { clock, log, append, outcomes, taken } = open()
    log.outcomesToForget = 1
    append(0, 'a')
    await clock.advance(2000)
    assert.deepEqual(outcomes, [{ kind: 'unknown', reason: 'no outcome in time' }])
    assert.deepEqual(taken, ['a'])
    append(0, 'a')
    await clock.advance(20)
    assert.deepEqual(outcomes[1], { kind: 'stored', at: 1 })
  })

  test('loses an attempt, and nothing of it is stored', async () => {
    const { clock, memory, log, append, outcomes } = open()
    log.attemptsToLose = 1
    append(0, 'a')
    await clock.advance(2000)
    assert.equal(outcomes[0]?.kind, 'unknown')
    assert.equal(memory.last, 0)
  })

  test('lets an attempt arrive after it was told as unknown', async () => {
    const { clock, memory, log, append, outcomes } = open()
    log.attemptsDelayMs = 3000
    append(0, 'a')
    await clock.advance(2000)
    assert.deepEqual([outcomes[0]?.kind, memory.last], ['unknown', 0])
    await clock.advance(1100)
    assert.deepEqual([outcomes.length, memory.last], [1, 1])
  })

  test('says that another append is under way, or that it is full, and stores nothing', async () => {
    const { clock, memory, log, append, outcomes } = open()
    log.attemptsToRefuse = 1
    append(0, 'a')
    await clock.advance(20)
    memory.isFull = true
    append(0, 'a')
    await clock.advance(20)
    assert.deepEqual(
      outcomes.map(({ kind }) => kind),
      ['unknown', 'unknown'],
    )
    assert.equal(memory.last, 0)
  })

  test('cuts a connection, which goes on behind what it has had', async () => {
    const { clock, memory, log, append, taken } = open()
    append(0, 'a')
    await clock.advance(20)
    log.isCut = true
    const outcomes: AppendOutcome[] = []
    appendTo(memory.connect(), 1, 'b', outcomes)
    await clock.advance(20)
    assert.deepEqual([outcomes.length, taken], [1, ['a']])
    log.mend()
    await clock.advance(20)
    assert.deepEqual(taken, ['a', 'b'])
  })

  test('leaves a delivery out, or changes a bit of it', async () => {
    const { clock, memory, log, append, taken } = open()
    log.deliveriesToLose = 1
    append(0, 'a')
    await clock.advance(20)
    append(1, 'b')
    await clock.advance(20)
    assert.deepEqual(taken, ['b'])
    const changing = memory.connect()
    changing.deliveriesToChange = 1
    const bodies: Uint8Array[] = []
    changing.follow(0, { take: ({ body }) => bodies.push(body), trimmed: () => {}, lost: () => {} })
    await clock.advance(20)
    assert.equal(bodies.length, 2)
    assert.notDeepEqual(bodies[0], bodies[1])
    assert.deepEqual(bodies[1], new Uint8Array([1, 2, 3]))
  })
})
