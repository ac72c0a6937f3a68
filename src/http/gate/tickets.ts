/**
 * One-use tickets for browsers, which cannot put a header on a WebSocket: a supervisor's page asks for one with its
 * token and opens the socket with it. A ticket in a log or a history is worth nothing: it is used up or too old.
 */
import { hash, randomBytes } from 'node:crypto'
import Type from 'typebox'
import { type Clock, type Millis, rfc3339 } from '../../clock.js'
import type { Credential } from '../../config/credentials.js'
import { VoiceStreamError } from '../../errors.js'
import { limits } from '../../limits.js'
import { EmptyBody } from '../../protocol/call.js'
import { checkEmpty } from '../../protocol/decode.js'
import { jsonType } from '../exchange.js'
import type { Route } from '../routes.js'

export interface Ticket {
  /** Null where the service has no credentials. */
  readonly credential: Credential | null
  readonly expiresAt: Millis
}

export class Tickets {
  readonly #clock: Pick<Clock, 'now'>
  /** By digest, so that looking one up tells nothing of those that are near it. In the order in which they expire. */
  readonly #open = new Map<string, Ticket>()

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock
  }

  get openCount(): number {
    return this.#open.size
  }

  /** Throws `rate_limited` when too many are open. */
  issue(credential: Credential | null): { readonly text: string; readonly expiresAt: Millis } {
    this.#dropExpired()
    if (this.#open.size >= limits.ticketsMax)
      throw new VoiceStreamError('rate_limited', 'too many tickets are open')
    const text = randomBytes(32).toString('base64url')
    const expiresAt = this.#clock.now() + limits.ticketMs
    this.#open.set(hash('sha256', text), { credential, expiresAt })
    return { text, expiresAt }
  }

  /** Uses it up. Null when it is unknown, used or too old. */
  redeem(text: string): Ticket | null {
    const key = hash('sha256', text)
    const ticket = this.#open.get(key)
    this.#open.delete(key)
    return ticket !== undefined && this.#clock.now() < ticket.expiresAt ? ticket : null
  }

  #dropExpired(): void {
    const now = this.#clock.now()
    for (const [key, { expiresAt }] of this.#open) {
      if (now < expiresAt) return
      this.#open.delete(key)
    }
  }
}

const TicketAnswer = Type.Object({
  ticket: Type.String({ description: 'For `/ws/supervisor?ticket=…`, once.' }),
  expires_at: Type.String({ format: 'date-time' }),
})

export function ticketRoute(tickets: Tickets): Route {
  return {
    method: 'POST',
    path: '/v1/supervisor/ticket',
    access: 'supervisor',
    tag: 'supervisors',
    summary: 'A one-use ticket for a browser’s socket',
    description:
      'A browser cannot send a header with a WebSocket, and a token in its address would stay in logs.',
    answers: { 200: { description: 'The ticket.', schema: TicketAnswer } },
    body: {
      mediaType: jsonType,
      schema: EmptyBody,
      bytesMax: limits.bodyBytesMax,
      isOptional: true,
      take(exchange, given) {
        checkEmpty(given)
        const { text, expiresAt } = tickets.issue(exchange.credential)
        const body = JSON.stringify({ ticket: text, expires_at: rfc3339(expiresAt) })
        exchange.send('200 OK', jsonType, body, [['Cache-Control', 'no-store']])
      },
    },
  }
}
