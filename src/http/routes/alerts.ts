/** Alerts: a supervisor says that somebody takes care of one, for all supervisors to see. */
import { Compile } from 'typebox/compile'
import type { CallRegistry } from '../../actors/call-registry.js'
import { unreachable, VoiceStreamError } from '../../errors.js'
import { limits } from '../../limits.js'
import { Acknowledgement } from '../../protocol/alert.js'
import { decodeCallId } from '../../protocol/call-id.js'
import { checkSchema, parseObject } from '../../protocol/decode.js'
import { jsonType } from '../exchange.js'
import type { Route } from '../routes.js'
import { callNotFound, unknownCall } from './known-call.js'

const acknowledgementCheck = Compile(Acknowledgement)

export function acknowledgeRoute(registry: CallRegistry): Route {
  return {
    method: 'POST',
    path: '/v1/call/{call_id}/alerts/{alert_id}/acknowledge',
    access: 'supervisor',
    tag: 'supervisors',
    summary: 'Acknowledge an alert',
    description:
      'Says that somebody takes care of it, with the name of the credential. All supervisors see it. The first acknowledgement of an alert counts; repeating it changes nothing.',
    answers: {
      204: { description: 'On disk: the alert is acknowledged.' },
      404: { ...callNotFound[404], description: 'Unknown call, or the call has no such alert.' },
    },
    body: {
      mediaType: jsonType,
      schema: Acknowledgement,
      bytesMax: limits.bodyBytesMax,
      isOptional: true,
      take(exchange, body) {
        const callId = decodeCallId(exchange.segment)
        const alertId = exchange.secondSegment
        registry.tell(callId, {
          type: 'acknowledge',
          alertId: decodeAlertId(alertId),
          by: exchange.credential?.name ?? null,
          note: noteOf(body),
          replyTo: {
            answered: (answer) => {
              switch (answer) {
                case 'acknowledged':
                  return exchange.noContent()
                case 'unknown-call':
                  return exchange.problem(unknownCall(callId))
                case 'unknown-alert':
                  return exchange.problem(new VoiceStreamError('not_found', 'the call has no such alert'))
                default:
                  return unreachable(answer)
              }
            },
            failed: (error) => exchange.problem(error),
          },
        })
      },
    },
  }
}

/** Colons may be percent-encoded. What cannot be decoded names no alert. */
function decodeAlertId(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return ''
  }
}

function noteOf(body: Uint8Array): string | null {
  if (body.length === 0) return null
  const object = parseObject(body)
  checkSchema(acknowledgementCheck, object)
  return (object.values as Acknowledgement).note ?? null
}
