import type { Exchange } from './exchange.js'

/** Exchanges in the order of their requests. A linked list: every request enters and leaves it, mostly from the front. */
export class ExchangeList {
  #first: Exchange | null = null
  #last: Exchange | null = null
  #size = 0

  get size(): number {
    return this.#size
  }

  add(exchange: Exchange): void {
    exchange.previous = this.#last
    if (this.#last === null) this.#first = exchange
    else this.#last.next = exchange
    this.#last = exchange
    this.#size++
  }

  /** Does nothing for one that is not in the list. */
  delete(exchange: Exchange): void {
    const { previous, next } = exchange
    if (previous === null && this.#first !== exchange) return
    if (previous === null) this.#first = next
    else previous.next = next
    if (next === null) this.#last = previous
    else next.previous = previous
    exchange.previous = null
    exchange.next = null
    this.#size--
  }

  /** Oldest first; an exchange may leave the list while it is visited. */
  *[Symbol.iterator](): Generator<Exchange> {
    for (let exchange = this.#first; exchange !== null; ) {
      const { next } = exchange
      yield exchange
      exchange = next
    }
  }
}
