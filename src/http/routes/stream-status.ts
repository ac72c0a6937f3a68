/**
 * Twilio's status callback of a stream: says that the stream has ended where its socket never does. It is signed like the sockets
 * where TOKENS_FILE has a twilio line; otherwise it brings an ingest token.
 */
import { Buffer } from 'node:buffer'
import Type from 'typebox'
import { VoiceStreamError } from '../../errors.js'
import type { LegEnd } from '../../store/journal.js'
import type { Exchange } from '../exchange.js'
import type { Gate } from '../gate/gate.js'
import { tokenOf } from '../gate/media-handshake.js'
import type { PlatformProofs } from '../gate/platform-proofs.js'
import type { Route } from '../routes.js'

export interface StreamStatusPorts {
  readonly gate: Gate
  readonly proofs: PlatformProofs
  /** Resolves when that is on disk; what is not known is nothing. */
  streamEnded(call: string, stream: string, why: LegEnd): Promise<void>
}

const StreamStatus = Type.Object({
  CallSid: Type.String(),
  StreamSid: Type.String(),
  StreamEvent: Type.Optional(
    Type.String({ description: 'stream-started, stream-stopped or stream-error; others are ignored.' }),
  ),
})
const bodyBytesMax = 16 * 1024
const ends: ReadonlyMap<string, LegEnd> = new Map([
  ['stream-stopped', 'stopped'],
  ['stream-error', 'lost'],
])

export function streamStatusRoute(ports: StreamStatusPorts): Route {
  return {
    method: 'POST',
    path: '/v1/media/twilio/status',
    // Its signature covers the body, so it is checked when the body is here.
    access: 'public',
    tag: 'ingest',
    summary: 'Twilio’s status callback of a stream',
    description:
      'Ends the stream where its socket never says so. With a twilio line in TOKENS_FILE it has to be signed by Twilio; else it needs an ingest token, if there are any (Bearer, or the password of Basic).',
    answers: { 204: { description: 'Known, or nothing to do.' } },
    body: {
      mediaType: 'application/x-www-form-urlencoded',
      schema: StreamStatus,
      bytesMax: bodyBytesMax,
      take: (exchange, body) => take(ports, exchange, Buffer.from(body).toString('utf8')),
    },
    isSigned: true,
  }
}

function take(ports: StreamStatusPorts, exchange: Exchange, form: string): void {
  admit(ports, exchange, form)
  const fields = new URLSearchParams(form)
  const call = fields.get('CallSid')
  const stream = fields.get('StreamSid')
  if (!call || !stream) throw new VoiceStreamError('schema_violation', 'CallSid and StreamSid are required')
  const why = ends.get(fields.get('StreamEvent') ?? '')
  if (why === undefined) return exchange.noContent()
  ports.streamEnded(call, stream, why).then(
    () => exchange.noContent(),
    (error: unknown) =>
      exchange.problem(
        error instanceof VoiceStreamError
          ? error
          : new VoiceStreamError('internal', 'unexpected error', { cause: error }),
      ),
  )
}

function admit({ gate, proofs }: StreamStatusPorts, exchange: Exchange, form: string): void {
  const {
    proofHead: head,
    head: { authorization },
  } = exchange
  if (head !== null && proofs.isNeeded('twilio'))
    return gate.admitProven(exchange, () => proofs.prove('twilio', { ...head, form }))
  gate.admitMedia(exchange, authorization === null ? null : tokenOf(authorization))
}
