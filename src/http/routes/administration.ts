/** For those who administer calls: what failed is tried again, and what must go is erased. */
import type { ErasureAnswer, RedriveAnswer } from '../../actors/call-messages.js'
import type { CallRegistry } from '../../actors/call-registry.js'
import { unreachable, VoiceStreamError } from '../../errors.js'
import { limits } from '../../limits.js'
import { EmptyBody, RetryReceipt } from '../../protocol/call.js'
import { type CallId, decodeCallId } from '../../protocol/call-id.js'
import { checkEmpty } from '../../protocol/decode.js'
import { type Exchange, jsonType } from '../exchange.js'
import type { Route } from '../routes.js'
import { callNotFound, unknownCall } from './known-call.js'

export interface AdministrationPorts {
  readonly registry: CallRegistry
  countRedrive(): void
}

export function administrationRoutes({ registry, countRedrive }: AdministrationPorts): readonly Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/call/retry/{call_id}',
      access: 'admin',
      tag: 'administration',
      summary: 'Analyse a failed call again',
      description:
        'Moves a FAILED call back to PROCESSING_AI with fresh attempts and a fresh budget. Repeating it during the analysis changes nothing.',
      answers: {
        202: {
          description: 'On disk: the analysis begins, or is already running.',
          schema: RetryReceipt,
        },
        ...callNotFound,
        409: { description: 'The call has not failed.' },
      },
      body: {
        mediaType: jsonType,
        schema: EmptyBody,
        bytesMax: limits.bodyBytesMax,
        isOptional: true,
        take(exchange, body) {
          const callId = decodeCallId(exchange.segment)
          checkEmpty(body)
          registry.tell(callId, {
            type: 'redrive',
            replyTo: {
              answered: (answer) => {
                if (answer.kind === 'redriven') countRedrive()
                answerRetry(exchange, callId, answer)
              },
              failed: (error) => exchange.problem(error),
            },
          })
        },
      },
    },
    {
      method: 'DELETE',
      path: '/v1/call/{call_id}',
      access: 'admin',
      tag: 'administration',
      summary: 'Erase a call',
      description:
        'Erases packets, transcript, lifecycle and call id, in any state of the call. After the answer nothing of it is served; within 60 seconds nothing of it is left in the files. A packet that arrives later begins a new call.',
      answers: {
        204: { description: 'The call is erased, and stays erased after a restart.' },
        404: { description: 'Unknown or already erased call.' },
      },
      answer(exchange) {
        const callId = decodeCallId(exchange.segment)
        const answered = (answer: ErasureAnswer) => {
          if (answer === 'erased') exchange.noContent()
          else exchange.problem(unknownCall(callId))
        }
        const failed = (error: VoiceStreamError) => exchange.problem(error)
        registry.tell(callId, { type: 'erase', endedThrough: null, replyTo: { answered, failed } })
      },
    },
  ]
}

function answerRetry(exchange: Exchange, callId: CallId, answer: RedriveAnswer): void {
  switch (answer.kind) {
    case 'redriven':
      return accept(exchange, callId, answer.redrives, 'accepted', 'The analysis begins again')
    case 'under-way':
      return accept(exchange, callId, answer.redrives, 'under_way', 'The analysis is under way')
    case 'not-failed':
      return exchange.problem(
        new VoiceStreamError(
          'call_not_failed',
          `call ${callId} is ${answer.state}; only a FAILED call can be retried`,
        ),
      )
    case 'unknown-call':
      return exchange.problem(unknownCall(callId))
    default:
      return unreachable(answer)
  }
}

function accept(
  exchange: Exchange,
  callId: CallId,
  redrives: number,
  status: RetryReceipt['status'],
  message: string,
): void {
  const receipt: RetryReceipt = { status, message, call_id: callId, redrives }
  exchange.send('202 Accepted', jsonType, JSON.stringify(receipt))
}
