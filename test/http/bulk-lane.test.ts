/** What the lane of bulk requests holds while the journal has no room. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { CallRegistry } from '../../src/actors/call-registry.js'
import type { VoiceStreamError } from '../../src/errors.js'
import type { Exchange } from '../../src/http/exchange.js'
import { BulkLane } from '../../src/http/routes/bulk.js'
import { limits } from '../../src/limits.js'
import { eventually } from '../support/service.js'

class FakeExchange {
  isEnded = false
  readonly problems: string[] = []
  sent = 0

  problem(error: VoiceStreamError): void {
    this.problems.push(error.code)
  }

  send(): void {
    this.sent++
  }
}

function laneWith(journal: { hasRoom: boolean }) {
  const counted: number[] = []
  const lane = new BulkLane({
    // Only blank lines are sent: no call is ever told.
    registry: { activatingCount: 0 } as CallRegistry,
    hasRoom: () => journal.hasRoom,
    countLines: ({ received }) => counted.push(received),
  })
  const add = (bytes: number): FakeExchange => {
    const exchange = new FakeExchange()
    lane.add(exchange as unknown as Exchange, Buffer.alloc(bytes, `${' '.repeat(1023)}\n`))
    return exchange
  }
  return { add, counted }
}

const bodyBytes = limits.bulkBodyBytesMax
const bodiesMax = limits.bulkQueueBytesMax / bodyBytes

describe('the lane of bulk requests', () => {
  test('refuses what it has no room for, and takes more once it has worked some off (V7)', async () => {
    const journal = { hasRoom: false }
    const { add } = laneWith(journal)
    const waiting = [...Array(bodiesMax).keys()].map(() => add(bodyBytes))
    assert.deepEqual(add(1).problems, ['overloaded'])
    journal.hasRoom = true
    await eventually(
      async () => waiting.every(({ sent }) => sent === 1),
      (all) => all,
    )
    assert.deepEqual(add(bodyBytes).problems, [])
  })

  test('lets go of bodies whose requests have been answered otherwise', () => {
    // Guards against memory that grows with every 503 of a stuck disk: their senders come again with the same body.
    // And against lines that are never counted, because nobody ended the reading of their request.
    const { add, counted } = laneWith({ hasRoom: false })
    for (let round = 0; round < 5; round++) {
      const waiting = [...Array(bodiesMax).keys()].map(() => add(bodyBytes))
      for (const exchange of waiting) {
        assert.deepEqual(exchange.problems, [], `round ${round}`)
        exchange.isEnded = true
      }
    }
    add(1).isEnded = true
    assert.equal(counted.length, 5 * bodiesMax)
  })
})
