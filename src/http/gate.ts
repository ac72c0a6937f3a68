/**
 * The one place where a request is let in or refused, before anything is done with it: whose credential it carries and
 * what that may do. Requests of every route pass here, and so do handshakes of sockets.
 */
import type { Credentials } from '../credentials.js'
import { type Access, authorize } from './access.js'
import type { Exchange } from './exchange.js'

export interface GatePorts {
  readonly credentials: Credentials
}

export class Gate {
  readonly #credentials: Credentials

  constructor({ credentials }: GatePorts) {
    this.#credentials = credentials
  }

  /** Throws what the request is refused with. */
  admit(exchange: Exchange, access: Access): void {
    exchange.credential = authorize(this.#credentials, exchange.head.authorization, access)
  }
}
