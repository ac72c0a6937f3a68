/** `POST /v1/call/start`: the PBX describes a call. */
import type { DescribeAnswer } from '../../actors/call-messages.js'
import type { CallRegistry } from '../../actors/call-registry.js'
import { unreachable, VoiceStreamError } from '../../errors.js'
import { limits } from '../../limits.js'
import { type CallId, decodeCallId } from '../../protocol/call-id.js'
import { decodeStart } from '../../protocol/decode-start.js'
import { StartBody, StartReceipt } from '../../protocol/media.js'
import type { ReplyTo } from '../../store/journal.js'
import { type Exchange, jsonType } from '../exchange.js'
import type { Route } from '../routes.js'

export function startRoute(registry: CallRegistry): Route {
  return {
    method: 'POST',
    path: '/v1/call/start/{call_id}',
    access: 'ingest',
    tag: 'ingest',
    summary: 'Describe a call',
    description:
      'Optional, before or after the first packet. It creates the call if it does not exist. Repeating it changes nothing. A later start replaces the earlier one, until the grace period is over. The `media` of the first start are final once packets are stored.',
    answers: {
      202: { description: 'On disk.', schema: StartReceipt },
      409: {
        description: 'The media differ from those of the stored packets, or the grace period is over.',
      },
    },
    body: {
      mediaType: jsonType,
      schema: StartBody,
      bytesMax: limits.bodyBytesMax,
      isOptional: true,
      take(exchange, bytes) {
        const callId = decodeCallId(exchange.segment)
        const body = decodeStart(bytes)
        const replyTo: ReplyTo<DescribeAnswer> = {
          answered: (answer) => answerStart(exchange, callId, answer),
          failed: (error) => exchange.problem(error),
        }
        registry.tell(callId, { type: 'describe', body, replyTo })
      },
    },
  }
}

function answerStart(exchange: Exchange, callId: CallId, answer: DescribeAnswer): void {
  switch (answer.kind) {
    case 'described': {
      const { media } = answer
      const receipt: StartReceipt = {
        status: 'accepted',
        message: 'Call start received',
        call_id: callId,
        media,
      }
      return exchange.send('202 Accepted', jsonType, JSON.stringify(receipt))
    }
    case 'media-is-fixed': {
      const { encoding, sample_rate, channels } = answer.media
      return refuse(
        exchange,
        `call ${callId} has packets of ${encoding}, ${sample_rate} Hz, ${channels} channels`,
      )
    }
    case 'grace-period-over':
      return refuse(exchange, `call ${callId} is ${answer.state}: its grace period is over`)
    default:
      return unreachable(answer)
  }
}

function refuse(exchange: Exchange, detail: string): void {
  exchange.problem(new VoiceStreamError('call_details_conflict', detail))
}
