import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type CallTruth,
  compareRanges,
  compareReceipt,
  compareStoredPage,
  compareView,
  type Difference,
} from '../../src/simulate/account.js'
import { SendLog } from '../../src/simulate/send-log.js'
import type { CallView, PacketsPage, Receipt } from '../../src/simulate/service-answers.js'

/** Of 10 packets: 0 1 5 4 (late) 5 (duplicate) 7, then completed; 9 is rejected. Missing: 2–3, 6, 8–9. */
function exampleLog(): SendLog {
  const log = new SendLog(10)
  for (const sequence of [0, 1, 5, 4]) assert.equal(log.recordAnswer(sequence, 'accepted', 0), null)
  assert.equal(log.recordAnswer(5, 'duplicate', 0), null)
  assert.equal(log.recordAnswer(7, 'accepted', 0), null)
  log.recordCompletion()
  assert.equal(log.recordAnswer(9, 'rejected', 0), null)
  return log
}

const exactView: CallView = {
  state: 'ARCHIVED',
  totalReceived: 5,
  expectedTotalPackets: 10,
  highestSequence: 7,
  missingCount: 5,
  missingRanges: [
    [2, 3],
    [6, 6],
    [8, 9],
  ],
  surplusCount: 0,
  lateCount: 1,
  duplicateCount: 1,
  tracks: null,
  legs: [],
  shedCount: 0,
  transcription: 'hello',
  error: null,
}

const truthOf = (log: SendLog): CallTruth => ({
  tracks: [{ track: 0, account: log, isTotalSaid: true, expectedPacket }],
  duplicates: log.duplicates,
  misplaced: [],
})

const expectedPacket = (sequence: number) => ({ data: btoa(`audio ${sequence}`), timestamp: 1000 + sequence })
const storedPackets = [0, 1, 4, 5, 7].map((sequence) => ({ sequence, ...expectedPacket(sequence) }))
const exactPage: PacketsPage = { packets: storedPackets, nextFrom: null }

function comparePage(page: PacketsPage, from = 0): Difference[] {
  return compareStoredPage({ log: exampleLog(), expectedPacket, from, page })
}

describe('the view of a call', () => {
  test('that agrees with the log has no difference', () => {
    assert.deepEqual(compareView(truthOf(exampleLog()), exactView), [])
    assert.deepEqual(compareRanges(exampleLog().missingRanges(), exactView.missingRanges), [])
  })

  const wrongCounts: [keyof CallView, number, string, string][] = [
    ['totalReceived', 4, 'total_received', '5'],
    ['expectedTotalPackets', 11, 'expected_total_packets', '10'],
    ['highestSequence', 9, 'highest_sequence', '7'],
    ['missingCount', 0, 'missing_count', '5'],
    ['surplusCount', 1, 'surplus_count', '0'],
    ['lateCount', 2, 'late_count', '1'],
    ['duplicateCount', 0, 'duplicate_count', '1'],
  ]
  for (const [field, wrong, what, expected] of wrongCounts)
    test(`with a wrong ${what} differs there and nowhere else`, () => {
      const view: CallView = { ...exactView, [field]: wrong }
      assert.deepEqual(compareView(truthOf(exampleLog()), view), [{ what, expected, found: String(wrong) }])
    })

  test('with a gap that is wrong, absent or invented differs', () => {
    const missing = exampleLog().missingRanges()
    assert.deepEqual(
      compareRanges(missing, [
        [2, 3],
        [6, 7],
        [8, 9],
      ]),
      [{ what: 'missing range 2', expected: '6–6', found: '6–7' }],
    )
    assert.equal(compareRanges(missing, missing.slice(0, 2)).length, 1)
    assert.equal(compareRanges(missing, [...missing, [12, 12]]).length, 1)
  })
})

describe('the packets fetched back', () => {
  test('that agree with the log have no difference, in one page or in several', () => {
    assert.deepEqual(comparePage(exactPage), [])
    assert.deepEqual(comparePage({ packets: storedPackets.slice(0, 3), nextFrom: 5 }), [])
    assert.deepEqual(comparePage({ packets: storedPackets.slice(3), nextFrom: null }, 5), [])
  })

  test('with one changed byte differ there', () => {
    const packets = storedPackets.map((packet) =>
      packet.sequence === 4 ? { ...packet, data: btoa('Audio 4') } : packet,
    )
    assert.deepEqual(comparePage({ packets, nextFrom: null }), [
      { what: 'packet 4: data', expected: '7 bytes, byte 0 is 97', found: '7 bytes, byte 0 is 65' },
    ])
  })

  test('with other base64 of the same bytes differ too', () => {
    const packets = storedPackets.map((packet) =>
      packet.sequence === 4 ? { ...packet, data: packet.data.replace('=', '') } : packet,
    )
    assert.equal(comparePage({ packets, nextFrom: null }).length, 1)
  })

  test('with the timestamp of another call differ', () => {
    const packets = storedPackets.map((packet) => ({ ...packet, timestamp: packet.timestamp + 0.001 }))
    assert.equal(comparePage({ packets, nextFrom: null }).length, 5)
  })

  test('that lack an accepted packet differ, at the beginning, inside and at the end of a page', () => {
    for (const absent of [0, 4, 7])
      assert.deepEqual(
        comparePage({ packets: storedPackets.filter(({ sequence }) => sequence !== absent), nextFrom: null }),
        [{ what: `packet ${absent}`, expected: 'stored', found: 'not stored' }],
      )
    const [first] = storedPackets
    assert.ok(first)
    assert.equal(comparePage({ packets: [first], nextFrom: 5 }).length, 2)
  })

  test('that have one more, or one twice, differ', () => {
    const rejected = { sequence: 9, ...expectedPacket(9) }
    assert.deepEqual(comparePage({ packets: [...storedPackets, rejected], nextFrom: null }), [
      { what: 'packet 9', expected: 'not stored', found: 'stored' },
    ])
    const [first] = storedPackets
    assert.ok(first)
    assert.equal(comparePage({ packets: [first, ...storedPackets], nextFrom: null }).length, 1)
  })
})

describe('a receipt', () => {
  const receipt: Receipt = {
    verdict: 'rejected',
    sequence: 9,
    totalReceived: 5,
    missingSequences: [2, 3, 6, 8, 9],
    missingCount: 5,
  }

  test('that agrees with the log has no difference', () => {
    assert.deepEqual(compareReceipt(exampleLog(), 9, receipt), [])
  })

  test('differs in any number that is not as logged', () => {
    const wrongs: Partial<Receipt>[] = [
      { sequence: 8 },
      { totalReceived: 6 },
      { missingCount: 4 },
      { missingSequences: [2, 3, 6, 8] },
      { missingSequences: [2, 3, 6, 7, 9] },
      { missingSequences: [2, 3, 6, 9, 8] },
    ]
    for (const wrong of wrongs)
      assert.equal(compareReceipt(exampleLog(), 9, { ...receipt, ...wrong }).length, 1, JSON.stringify(wrong))
  })

  test('before the completion counts what is missing up to the highest sequence', () => {
    const log = new SendLog(10)
    log.recordAnswer(2, 'accepted', 0)
    const early: Receipt = {
      verdict: 'accepted',
      sequence: 2,
      totalReceived: 1,
      missingSequences: [0, 1],
      missingCount: 2,
    }
    assert.deepEqual(compareReceipt(log, 2, early), [])
  })
})

describe('the log of a call', () => {
  test('finds answers that cannot be right', () => {
    const log = new SendLog(5)
    assert.match(log.recordAnswer(0, 'duplicate', 0) ?? '', /never been sent/)
    assert.match(log.recordAnswer(0, 'accepted', 0) ?? '', /second time/)
    assert.match(log.recordAnswer(1, 'rejected', 0) ?? '', /before the completion/)
    log.recordCompletion()
    assert.match(log.recordAnswer(0, 'rejected', 0) ?? '', /had been accepted/)
    assert.match(log.recordAnswer(1, 'accepted', 0) ?? '', /had been rejected/)
  })

  test('takes a duplicate after an unanswered try for its own original', () => {
    const log = new SendLog(5)
    assert.equal(log.recordAnswer(0, 'duplicate', 1), null)
    assert.equal(log.storedCount, 1)
    assert.deepEqual(log.duplicates, { least: 1, most: 1 })
  })

  test('knows duplicates as a range where tries without an answer may have been counted', () => {
    const log = new SendLog(5)
    assert.equal(log.recordAnswer(0, 'accepted', 2), null)
    assert.deepEqual(log.duplicates, { least: 0, most: 2 })
    assert.equal(log.recordAnswer(0, 'duplicate', 1), null)
    assert.deepEqual(log.duplicates, { least: 1, most: 4 })
    assert.equal(log.recordAnswer(1, 'duplicate', 2), null)
    assert.deepEqual(log.duplicates, { least: 2, most: 6 })
  })

  test('counts a packet as late when a higher one was stored before it, and only once', () => {
    const log = new SendLog(5)
    for (const sequence of [3, 1, 4, 2]) log.recordAnswer(sequence, 'accepted', 0)
    log.recordAnswer(1, 'duplicate', 0)
    assert.equal(log.lateCount, 2)
    assert.equal(log.highestStored, 4)
    assert.deepEqual(log.missingRanges(), [[0, 0]])
  })
})
