/**
 * Is what one client was told a stream without a hole? By the accounts in its events, not by their positions, which mean
 * nothing to a client: in each run of messages without a reset the packets of a call count up by one.
 */

import type { FeedMessage } from '../../src/protocol/feed.js'
import { isIntact } from '../../src/protocol/intact.js'

export interface StreamFindings {
  readonly findings: readonly string[]
  /** What the client believes now of each call. */
  readonly totals: ReadonlyMap<string, number>
  readonly packets: number
}

/** `isFresh`: no packet was sent before the client came, so its calls begin with 1. */
export function judgeStream(messages: readonly FeedMessage[], isFresh: boolean): StreamFindings {
  const account = new StreamAccount(isFresh)
  for (const message of messages) account.take(message)
  return account
}

class StreamAccount implements StreamFindings {
  readonly totals = new Map<string, number>()
  packets = 0
  readonly #sequences = new Set<string>()
  /** Between a reset and its last part a call may be told of before its row comes; but its row must come. */
  readonly #awaitedRows = new Map<string, string>()
  readonly #counts = { gaps: 0, repeats: 0 }
  #first = ''
  #isWhole: boolean

  constructor(isFresh: boolean) {
    this.#isWhole = isFresh
  }

  get findings(): readonly string[] {
    return Object.entries(this.#counts).flatMap(([kind, count]) =>
      count === 0 ? [] : [`${count} ${kind}, ${this.#first} for one`],
    )
  }

  take(message: FeedMessage): void {
    if (message.event === 'reset') this.#forget()
    else if (message.event === 'snapshot') this.#takeSnapshot(message)
    else if (message.event === 'packet_received') this.#takePacket(message)
  }

  /** One that was cut off before its picture was whole begins anew, too: what it missed of the first one is no gap. */
  #forget(): void {
    this.totals.clear()
    this.#sequences.clear()
    this.#awaitedRows.clear()
    this.#isWhole = false
  }

  #takeSnapshot({ calls, is_last }: Extract<FeedMessage, { event: 'snapshot' }>): void {
    for (const { call_id, total_received } of calls.filter(isIntact)) {
      this.totals.set(call_id, total_received)
      this.#awaitedRows.delete(call_id)
    }
    if (!is_last) return
    for (const place of this.#awaitedRows.values()) this.#find('gaps', `${place} and has no row`)
    this.#awaitedRows.clear()
    // From here on every call that was not in the picture begins after it.
    this.#isWhole = true
  }

  #takePacket({
    call_id,
    sequence,
    total_received,
  }: Extract<FeedMessage, { event: 'packet_received' }>): void {
    this.packets++
    const known = this.totals.get(call_id)
    const place = `${call_id}/${sequence}`
    if (this.#sequences.has(place)) this.#find('repeats', `${place} came twice`)
    else if (known === undefined)
      this.#begin(call_id, `${place} begins with ${total_received}`, total_received)
    else if (total_received <= known)
      this.#find('repeats', `${place} counts ${total_received} after ${known}`)
    else if (total_received > known + 1)
      this.#find('gaps', `${place} counts ${total_received} after ${known}`)
    this.#sequences.add(place)
    this.totals.set(call_id, total_received)
  }

  #begin(callId: string, text: string, totalReceived: number): void {
    if (totalReceived === 1) return
    if (this.#isWhole) this.#find('gaps', text)
    else this.#awaitedRows.set(callId, text)
  }

  #find(kind: 'gaps' | 'repeats', text: string): void {
    this.#counts[kind]++
    if (this.#first === '') this.#first = text
  }
}
