import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Comparison, DuplicateCheck } from '../../src/actors/duplicate-check.js'
import { VoiceStreamError } from '../../src/errors.js'
import { limits } from '../../src/limits.js'
import type { StoredPacket } from '../../src/store/journal.js'
import { callId } from '../support/calls.js'
import { turns } from '../support/fake-clock.js'

const life = { callId: callId('c1'), createdAt: 1 }

function checkOver(packets: readonly StoredPacket[]) {
  const told = { differs: [] as number[], unchecked: 0, readsAtOnce: 0, mostReadsAtOnce: 0, isThere: true }
  let error: Error | null = null
  const check = new DuplicateCheck({
    reader: {
      async packets(_, from, limit) {
        told.mostReadsAtOnce = Math.max(told.mostReadsAtOnce, ++told.readsAtOnce)
        await turns(1)
        told.readsAtOnce--
        if (error !== null) throw error
        return {
          packets: packets.filter(({ sequence }) => sequence >= from).slice(0, limit),
          nextFrom: null,
          release: () => {},
        }
      },
    },
    isThere: async () => told.isThere,
    differs: (_, sequence) => told.differs.push(sequence),
    unchecked: () => told.unchecked++,
  })
  return { check, told, break: (cause: Error) => (error = cause) }
}

const stored = (sequence: number, data: string): StoredPacket => ({
  sequence,
  data: Buffer.from(data),
  timestamp: 1,
  receivedAt: 1,
})
const packet = (sequence: number, data: string, timestamp = 1) => ({
  sequence,
  data: Buffer.from(data),
  timestamp,
})

describe('a duplicate', () => {
  test('that says what its original says is not told', async () => {
    const { check, told } = checkOver([stored(3, 'same')])
    check.add(life, packet(3, 'same'))
    await turns()
    assert.deepEqual([told.differs, told.unchecked], [[], 0])
  })

  test('with other data is told as different, with another time it is not: a second PBX has a clock of its own', async () => {
    const { check, told } = checkOver([stored(3, 'same'), stored(4, 'same')])
    check.add(life, packet(3, 'Same'))
    check.add(life, packet(4, 'same', 2))
    await turns()
    assert.deepEqual([told.differs, told.unchecked], [[3], 0])
  })

  test('of a call that was erased is not compared with the next call of its name', async () => {
    const { check, told } = checkOver([stored(3, 'of the next call')])
    told.isThere = false
    check.add(life, packet(3, 'of the erased call'))
    await turns()
    assert.deepEqual([told.differs, told.unchecked], [[], 1])
  })

  test('is compared with what it said when it came, although its body is used again', async () => {
    const { check, told } = checkOver([stored(3, 'same')])
    const body = Buffer.from('same')
    check.add(life, { sequence: 3, data: body, timestamp: 1 })
    body.fill('x')
    await turns()
    assert.deepEqual([told.differs, told.unchecked], [[], 0])
  })

  test('whose original cannot be read counts as unchecked, and the next one is compared', async () => {
    const { check, told, break: breakReads } = checkOver([stored(5, 'same')])
    check.add(life, packet(3, 'same'))
    await turns()
    assert.equal(told.unchecked, 1, 'the reader found another packet')
    breakReads(new Error('the disk is away'))
    check.add(life, packet(5, 'same'))
    check.add(life, packet(5, 'same'))
    await turns()
    assert.deepEqual([told.differs, told.unchecked], [[], 3])
  })

  test('is compared alone, and those that come too fast count as unchecked (V7)', async () => {
    const { check, told } = checkOver([stored(3, 'same')])
    // One is under way, `duplicateChecksMax` wait.
    for (let i = 0; i < limits.duplicateChecksMax + 11; i++) check.add(life, packet(3, 'other'))
    assert.equal(told.unchecked, 10)
    await turns(limits.duplicateChecksMax * 2 + 10)
    assert.equal(told.differs.length, limits.duplicateChecksMax + 1)
    assert.equal(told.mostReadsAtOnce, 1)
  })
})

describe('a comparison before the answer', () => {
  const outcomes = () => {
    const found: Comparison[] = []
    return { found, compared: (comparison: Comparison) => found.push(comparison) }
  }
  const codes = (found: readonly Comparison[]) =>
    found.map((comparison) => (comparison instanceof VoiceStreamError ? comparison.code : comparison))

  test('says whether the data is the same, and a difference is told, too', async () => {
    const { check, told } = checkOver([stored(3, 'same'), stored(4, 'same')])
    const { found, compared } = outcomes()
    const body = Buffer.from('same')
    check.compare(life, { sequence: 3, data: body, timestamp: 2 }, compared)
    body.fill('x')
    check.compare(life, packet(4, 'other'), compared)
    await turns()
    assert.deepEqual(found, [true, false])
    assert.deepEqual(told.differs, [4])
  })

  test('whose original cannot be read or found says so, and leaves no place taken', async () => {
    const { check, break: breakReads } = checkOver([stored(5, 'same')])
    const { found, compared } = outcomes()
    check.compare(life, packet(3, 'same'), compared)
    await turns()
    breakReads(new VoiceStreamError('overloaded', 'the reader is busy'))
    check.compare(life, packet(5, 'same'), compared)
    await turns()
    breakReads(new Error('the disk is away'))
    for (let i = 0; i < 2 * limits.lateComparisonsMax; i++) {
      check.compare(life, packet(5, 'same'), compared)
      await turns(4)
    }
    assert.deepEqual(codes(found).slice(0, 2), ['read_failed', 'overloaded'])
    assert.deepEqual(codes(found).slice(2), Array(2 * limits.lateComparisonsMax).fill('read_failed'))
    assert(check.hasRoom)
  })

  test('is one of a bounded number; beyond it packets are refused, and bulk requests wait before that (V7)', async () => {
    const { check, told } = checkOver([stored(3, 'same')])
    const { found, compared } = outcomes()
    for (let i = 0; i < limits.lateComparisonsMax / 2 - 1; i++)
      check.compare(life, packet(3, 'same'), compared)
    assert(check.hasRoom)
    for (let i = 0; i < limits.lateComparisonsMax; i++) check.compare(life, packet(3, 'same'), compared)
    assert(!check.hasRoom)
    const refused = limits.lateComparisonsMax / 2 - 1
    assert.deepEqual(codes(found), Array(refused).fill('overloaded'))
    await turns()
    assert.equal(found.filter((comparison) => comparison === true).length, limits.lateComparisonsMax)
    assert.equal(told.mostReadsAtOnce, limits.lateComparisonsMax)
    assert(check.hasRoom)
  })
})
