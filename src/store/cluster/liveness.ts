/**
 * Which other nodes live, as one node sees it. Its own messages in the log count the time: while the log stands still nobody
 * is gone, and who was paused himself has to wait again.
 */
import type { Clock, Millis } from '../../clock.js'
import { goneMs, goneTicks, joinMs, silentMs, silentTicks, tickMs } from './cluster-times.js'

interface Heard {
  /** Since then without being gone. */
  since: Millis
  last: Millis
  /** Own messages since the last of that node, a tick apart. */
  ticks: number
}

export class Liveness {
  readonly #clock: Clock
  readonly #isConnected: (node: string) => boolean
  readonly #heard = new Map<string, Heard>()
  #countedAt: Millis = Number.NEGATIVE_INFINITY

  constructor(clock: Clock, isConnected: (node: string) => boolean) {
    this.#clock = clock
    this.#isConnected = isConnected
  }

  /** A message of another node, or the node itself in the table of a start. */
  heard(node: string): void {
    const now = this.#clock.now()
    const known = this.#heard.get(node)
    if (known === undefined || this.isGone(node)) this.#heard.set(node, { since: now, last: now, ticks: 0 })
    else {
      known.last = now
      known.ticks = 0
    }
  }

  /** A message of this node has come back. Under load there are many: they count once a tick. */
  heardOwn(): void {
    const now = this.#clock.now()
    if (now - this.#countedAt < tickMs * 0.9) return
    this.#countedAt = now
    for (const heard of this.#heard.values()) heard.ticks++
  }

  isGone(node: string): boolean {
    const heard = this.#heard.get(node)
    if (heard === undefined) return true
    const silence = this.#clock.now() - heard.last
    if (heard.ticks >= silentTicks && silence >= silentMs) return true
    return heard.ticks >= goneTicks && silence >= goneMs && !this.#isConnected(node)
  }

  /** It has been heard for long enough to be given partitions. */
  isSteady(node: string): boolean {
    const heard = this.#heard.get(node)
    return heard !== undefined && !this.isGone(node) && this.#clock.now() - heard.since >= joinMs
  }
}
