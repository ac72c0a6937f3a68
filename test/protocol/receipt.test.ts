import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { Compile } from 'typebox/compile'
import type { ReceiptFacts } from '../../src/actors/call-facts.js'
import { ReceiveLog } from '../../src/actors/receive-log.js'
import { encodePacketEvent } from '../../src/feed/event-feed.js'
import { encodeReceipt } from '../../src/http/routes/receipt.js'
import type { CallId } from '../../src/protocol/call-id.js'
import { callStates } from '../../src/protocol/call-states.js'
import { Receipt } from '../../src/protocol/packet.js'
import { callIdTexts } from '../support/call-id-texts.js'
import { callId } from '../support/calls.js'
import { holds } from '../support/property.js'

const check = Compile(Receipt)

const facts = fc.record({
  status: fc.constantFrom('accepted' as const, 'duplicate' as const, 'rejected' as const),
  callId: callIdTexts.map((text) => text as CallId),
  track: fc.nat(7),
  sequence: fc.nat(2 ** 31 - 1),
  totalReceived: fc.nat(2 ** 31),
  missingSequences: fc
    .uniqueArray(fc.nat(2 ** 31 - 1), { maxLength: 100 })
    .map((all) => all.sort((a, b) => a - b)),
  missingCount: fc.nat(2 ** 31),
  receivedAt: fc.nat(),
  state: fc.constantFrom(...callStates),
})

const textOf = (given: ReceiptFacts): string => Buffer.from(encodeReceipt(given)).toString('utf8')

describe('a receipt', () => {
  // Guards against an id whose quote ends its text: the rest of the id would be members of the receipt, or of the event.
  test('and the event of its packet name every call as it is', async (t) => {
    await holds(t, facts, 1000, (given: ReceiptFacts) => {
      assert.equal(JSON.parse(textOf(given))['call_id'], given.callId)
      assert.equal(JSON.parse(encodePacketEvent(given, 'p'))['call_id'], given.callId)
    })
  })

  test('is JSON of its schema that says what the call said', async (t) => {
    await holds(t, facts, 1000, (given: ReceiptFacts) => {
      const receipt = JSON.parse(textOf(given))
      assert.equal(check.Check(receipt), true)
      const { message, ...rest } = receipt
      assert(message.length > 0)
      assert.deepEqual(rest, {
        status: given.status,
        call_id: given.callId,
        ...(given.track === 0 ? {} : { track: given.track }),
        sequence: given.sequence,
        total_received: given.totalReceived,
        missing_sequences: given.missingSequences,
        missing_count: given.missingCount,
        duplicate: given.status === 'duplicate',
      })
    })
  })

  test('is the one of the contract', () => {
    const log = new ReceiveLog()
    for (const sequence of [0, 5]) log.mark(sequence)
    const text = textOf({
      status: 'accepted',
      callId: callId('c1'),
      track: 0,
      sequence: 5,
      totalReceived: log.totalReceived,
      missingSequences: log.missingSequences(),
      missingCount: log.missingCount,
      receivedAt: 0,
      state: 'IN_PROGRESS',
    })
    assert.equal(
      text,
      '{"status":"accepted","message":"Packet received successfully","call_id":"c1","sequence":5,"total_received":2,"missing_sequences":[1,2,3,4],"missing_count":4,"duplicate":false}',
    )
  })

  test('has at most 16 KiB, whatever is missing', () => {
    const log = new ReceiveLog()
    log.mark(2 ** 31 - 1)
    const text = textOf({
      status: 'accepted',
      callId: callId('x'.repeat(128)),
      track: 7,
      sequence: 2 ** 31 - 1,
      totalReceived: 1,
      missingSequences: log.missingSequences(),
      missingCount: log.missingCount,
      receivedAt: 0,
      state: 'IN_PROGRESS',
    })
    assert(text.length < 16 * 1024)
    assert.equal(JSON.parse(text).missing_sequences.length, 100)
    assert.equal(JSON.parse(text).missing_count, 2 ** 31 - 1)
  })
})
