/**
 * How old the picture is, and the service's time. The service says something at least once a second, so silence means
 * that the picture ages, whatever the socket says; a tab that slept finds out at its first look at the clock.
 */
const staleAfterMs = 3500
const lagMsMax = 3000
/** The service speaks once a second. Beyond that nothing is known: a line that falters makes no call silent. */
const aheadMsMax = 1500

export type Freshness =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'catching-up' }
  | { readonly kind: 'live' }
  | { readonly kind: 'stale'; readonly since: number }
  | { readonly kind: 'offline'; readonly since: number | null }

export class ServiceClock {
  readonly madeAt = Date.now()
  /** Service time minus the viewer's, by the fastest message of this connection. */
  #offset: number | null = null
  #heardAt: number | null = null
  #toldAt: number | null = null

  connected(): void {
    this.#offset = null
  }

  heard(at: number, localNow: number): void {
    const offset = at - localNow
    this.#offset = this.#offset === null ? offset : Math.max(this.#offset, offset)
    this.#heardAt = localNow
    this.#toldAt = at
  }

  /** The service's time; it stands still while nothing is heard, because nothing is known of what happens then. */
  now(localNow: number): number {
    if (this.#offset === null || this.#heardAt === null) return this.#toldAt ?? localNow
    return Math.min(localNow, this.#heardAt + aheadMsMax) + this.#offset
  }

  /** The viewer's time of the last message. */
  get heardAt(): number | null {
    return this.#heardAt
  }

  /** How far behind the last message was when it came. */
  get lagMs(): number {
    if (this.#offset === null || this.#heardAt === null || this.#toldAt === null) return 0
    return this.#heardAt + this.#offset - this.#toldAt
  }
}

export function freshnessOf(
  isConnected: boolean,
  picture: { readonly isComplete: boolean },
  clock: ServiceClock,
  localNow: number,
): Freshness {
  const { heardAt } = clock
  const silentMs = localNow - (heardAt ?? clock.madeAt)
  // A line that breaks and is back at once is no reason to alarm anybody.
  if (!isConnected && silentMs > staleAfterMs) return { kind: 'offline', since: heardAt }
  if (heardAt === null) return { kind: 'connecting' }
  if (silentMs > staleAfterMs) return { kind: 'stale', since: heardAt }
  if (!isConnected || !picture.isComplete || clock.lagMs > lagMsMax) return { kind: 'catching-up' }
  return { kind: 'live' }
}
