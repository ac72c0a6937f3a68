/**
 * One line for each refused request: who, where and why, with an id that the answer carries too. Never a header, a
 * query, a body or a detail, which may repeat them. Of a platform's proof, in our own words, what is wrong with it.
 */
import { randomUUID } from 'node:crypto'
import type { VoiceStreamError } from '../../errors.js'
import type { Log } from '../../log.js'
import { problemKinds } from '../../protocol/problem.js'
import type { Exchange } from '../exchange.js'
import type { ClientAddresses } from './client-addresses.js'

export class RefusalLog {
  readonly #log: Log
  readonly #addresses: ClientAddresses

  constructor(log: Log, addresses: ClientAddresses) {
    this.#log = log
    this.#addresses = addresses
  }

  note(exchange: Exchange, { code }: VoiceStreamError): void {
    const status = Number(problemKinds[code].status.slice(0, 3))
    // A request that is merely malformed concerns its sender, and its answer says so.
    const isRefusal = status === 401 || status === 403 || status === 413 || status === 429 || status === 503
    if (!isRefusal) return
    exchange.requestId ??= randomUUID()
    const fields = {
      request_id: exchange.requestId,
      route: exchange.route,
      status,
      code,
      address: this.#addresses.of(exchange),
      ...(exchange.credential === null ? {} : { credential: exchange.credential.name }),
      ...(exchange.refusalReason === null ? {} : { reason: exchange.refusalReason }),
    }
    this.#log.warn(fields, 'refused')
  }
}
