/** The way in: packets, whole trunks of them, completions. */

import type { ReceiptFacts } from '../../actors/call-facts.js'
import type { CompletionAnswer } from '../../actors/call-messages.js'
import { VoiceStreamError } from '../../errors.js'
import { limits } from '../../limits.js'
import { CompletionBody, CompletionReceipt, type ExpectedTotals, totalsOf } from '../../protocol/call.js'
import { decodeCallId } from '../../protocol/call-id.js'
import { decodeCompletion, decodePacket } from '../../protocol/decode.js'
import { BulkLine, BulkResult, PacketBody, Receipt } from '../../protocol/packet.js'
import type { ReplyTo } from '../../store/journal.js'
import { type Exchange, jsonType } from '../exchange.js'
import type { Route } from '../routes.js'
import { BulkLane, type BulkPorts } from './bulk.js'
import { callNotFound } from './known-call.js'
import { encodeReceipt } from './receipt.js'

class PacketReply implements ReplyTo<ReceiptFacts> {
  readonly #exchange: Exchange
  readonly #count: IngestPorts['countPacket']

  constructor(exchange: Exchange, count: IngestPorts['countPacket']) {
    this.#exchange = exchange
    this.#count = count
  }

  answered(facts: ReceiptFacts): void {
    this.#count(facts.status)
    this.#exchange.send(
      facts.status === 'rejected' ? '409 Conflict' : '202 Accepted',
      jsonType,
      encodeReceipt(facts),
    )
  }

  failed(error: VoiceStreamError): void {
    this.#exchange.problem(error)
  }
}

export interface IngestPorts extends BulkPorts {
  countPacket(status: ReceiptFacts['status']): void
}

export function ingestRoutes(ports: IngestPorts): readonly Route[] {
  return [packetRoute(ports), bulkRoute(new BulkLane(ports)), completionRoute(ports)]
}

function packetRoute({ registry, countPacket }: IngestPorts): Route {
  return {
    method: 'POST',
    path: '/v1/call/stream/{call_id}',
    access: 'ingest',
    tag: 'ingest',
    summary: 'Send one packet',
    description:
      'The first packet of an unknown call creates the call. The answer is sent when the packet is on disk.',
    answers: {
      202: { description: 'On disk, now or before (`duplicate`).', schema: Receipt },
      409: { description: 'Not stored: it came after the grace period (`rejected`).', schema: Receipt },
    },
    body: {
      mediaType: jsonType,
      schema: PacketBody,
      bytesMax: limits.bodyBytesMax,
      take(exchange, body) {
        const callId = decodeCallId(exchange.segment)
        registry.tell(callId, {
          type: 'packet',
          packet: decodePacket(body),
          replyTo: new PacketReply(exchange, countPacket),
        })
      },
    },
  }
}

function bulkRoute(bulk: BulkLane): Route {
  return {
    method: 'POST',
    path: '/v1/packets',
    access: 'ingest',
    tag: 'ingest',
    summary: 'Send packets of many calls, one a line',
    description:
      'For a gateway that forwards a whole trunk. A bad line does not affect the others. After a 503 send the whole request again.',
    answers: { 202: { description: 'Every line has a result.', schema: BulkResult } },
    body: {
      mediaType: 'application/x-ndjson',
      schema: BulkLine,
      bytesMax: limits.bulkBodyBytesMax,
      take(exchange, body, isView) {
        // It is worked off over several turns of the loop, and a view is gone after this one.
        bulk.add(exchange, isView ? body.slice() : body)
      },
    },
  }
}

function completionRoute({ registry }: IngestPorts): Route {
  return {
    method: 'POST',
    path: '/v1/call/complete/{call_id}',
    access: 'ingest',
    tag: 'ingest',
    summary: 'Complete a call',
    description:
      'Starts the grace period. Repeating it with the same total changes nothing, in any state. A total of 0 ends a started call without packets at once (`no_audio`).',
    answers: {
      202: { description: 'The completion is on disk.', schema: CompletionReceipt },
      ...callNotFound,
      409: {
        description:
          'The call was completed with another total, or by the idle timeout and its grace period is over.',
      },
    },
    body: {
      mediaType: jsonType,
      schema: CompletionBody,
      bytesMax: limits.bodyBytesMax,
      take(exchange, body) {
        const callId = decodeCallId(exchange.segment)
        const totals = decodeCompletion(body)
        const replyTo: ReplyTo<CompletionAnswer> = {
          answered: (answer) => answerCompletion(exchange, callId, totals, answer),
          failed: (error) => exchange.problem(error),
        }
        registry.tell(callId, { type: 'complete', ...totals, replyTo })
      },
    },
  }
}

const totalOfNothing = new VoiceStreamError(
  'schema_violation',
  '/total_packets must be >= 1, unless the call was started and has no packets',
  {
    fields: [
      { path: '/total_packets', message: 'must be >= 1, unless the call was started and has no packets' },
    ],
  },
)

function answerCompletion(
  exchange: Exchange,
  callId: string,
  totals: ExpectedTotals,
  answer: CompletionAnswer,
): void {
  const said = totalsOf(totals).filter((total) => total !== null)
  // As the schema would say it where no call may be empty.
  if (answer === 'not-empty' || (answer === 'unknown-call' && said.every((total) => total === 0)))
    return exchange.problem(totalOfNothing)
  if (answer === 'unknown-call')
    return exchange.problem(
      new VoiceStreamError(
        'call_not_found',
        `call ${callId} is unknown: no packet and no start was received`,
      ),
    )
  if (answer === 'conflict')
    return exchange.problem(
      new VoiceStreamError(
        'total_packets_conflict',
        `call ${callId} was completed with another total, or its grace period is over`,
      ),
    )
  const receipt = {
    status: 'accepted',
    message: 'Call completion signal received',
    call_id: callId,
    expected_total_packets: said.reduce((sum, total) => sum + total, 0),
  }
  exchange.send('202 Accepted', jsonType, JSON.stringify(receipt))
}
