/**
 * The circuit breaker around attempts: it tells an outage of the provider from a call that cannot be analysed.
 *
 * It opens after so many requests in a row, of whatever calls, that found the provider down, or at once when the
 * provider says that it is exhausted, or asks for a wait that no call's budget has room for. While it is open nothing
 * is asked but one probe at a time: the attempt of the call that waits longest. A probe that is answered closes it,
 * and the calls that wait go on in the order in which they came, through the same slots as ever, so that they are no
 * herd. A probe that fails opens it for longer, and its call waits behind all others, so that probes are spread over
 * calls.
 *
 * A failure that opens the breaker or meets it open is the provider's and not the call's: it is told as
 * `AttemptReleased`. The failures before it have counted. An outage fails no call all the same, not even one alone: a call
 * whose own failures, with no answer to anybody between them, come near its last attempt or the end of its budget opens the
 * breaker, too. Nobody can tell such a call from an outage until another one is answered.
 *
 * `cockatiel` keeps the state; the only importer of it. Its time is the wall clock, which may jump: the waits are kept here.
 */
import {
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  handleWhenResult,
  type IBackoff,
} from 'cockatiel'
import type { Clock, Millis } from '../clock.js'
import { limits } from '../limits.js'
import { AccountRefused, type Matter, matters, ProviderRejected, ProviderUnavailable } from './provider.js'
import { reasonOf } from './retry.js'
import { type Admitted, AttemptReleased } from './retry-task.js'

export type BreakerState = 'closed' | 'open' | 'half_open'

/** The one that can end an outage: the provider, or the owner of the account. */
export type OutageCause = 'provider' | Matter
export const outageCauses: readonly OutageCause[] = ['provider', ...matters]

export interface BreakerPolicy {
  /** Failures in a row, of whatever calls, that are an outage; 0: only `AccountRefused` tells of one. */
  readonly failuresMax: number
  /** So many of one call are an outage, too: fewer than its attempts. */
  readonly ownFailuresMax: number
  /** From the opening to the first probe. Each wait after it is twice as long, up to `limits.probeMsMax`. */
  readonly probeMs: Millis
  /**
   * An attempt's share of a call's budget. A failure weighs as many failures as the shares that it took, the wait that the
   * server asked for included. A wait of a whole share or more says that the server is down.
   */
  readonly shareMs: Millis
}

/** The failures of one call in a row in which nobody was answered. After a restart it begins with those of before. */
export interface OwnFailures {
  /** The row that they belong to, `ProviderBreaker`'s number for it; 0 at the start. */
  row: number
  /** Their number, each as often as the shares of the budget that it took. */
  count: number
}

export interface BreakerPorts {
  readonly clock: Clock
  /** At most so many attempts at a time run inside it, in the order in which they came. */
  withSlot<R>(attempt: () => Promise<R>): Promise<R>
  /** The provider counts as down from now on, and why. Probes that fail do not tell it again, unless it is for another cause. */
  opened(reason: string, cause: OutageCause): void
  closed(afterMs: Millis): void
}

/** The verdict of an attempt on the provider: it answered, it is down, or it was not asked. */
type Outcome<R> =
  | { readonly kind: 'answered'; readonly result: R }
  | { readonly kind: 'refused'; readonly error: unknown }
  | { readonly kind: 'down'; readonly error: ProviderUnavailable }
  | { readonly kind: 'unasked'; readonly error: unknown }

/** The same for the library. */
interface Finding<R> {
  readonly isDown: boolean
  readonly outcome: Outcome<R> | null
}

interface Waiting {
  readonly place: number
  go(): void
}

const states: Readonly<Record<CircuitState, BreakerState>> = {
  [CircuitState.Closed]: 'closed',
  [CircuitState.Open]: 'open',
  [CircuitState.HalfOpen]: 'half_open',
  [CircuitState.Isolated]: 'open',
}

/** For the library every moment is right for a probe: when there is one is decided here. */
const atOnce: IBackoff<unknown> = { duration: Number.NEGATIVE_INFINITY, next: () => atOnce }

export class ProviderBreaker {
  readonly #policy: BreakerPolicy
  readonly #ports: BreakerPorts
  readonly #streak: FailureStreak
  readonly #circuit: CircuitBreakerPolicy
  readonly #waiting = new Set<Waiting>()
  #places = 0
  /** Changes with each answer of the provider. */
  #row = 0
  #hasAsked = false
  #isProbeDue = false
  #failedProbes = 0
  #openedAt: Millis | null = null
  #cause: OutageCause = 'provider'
  /** Why the breaker opens; null where a probe ended without the provider having been asked. */
  #found: ProviderUnavailable | null = null
  #cancelProbe = () => {}

  constructor(policy: BreakerPolicy, ports: BreakerPorts) {
    this.#policy = policy
    this.#ports = ports
    this.#streak = new FailureStreak(policy.failuresMax === 0 ? Number.POSITIVE_INFINITY : policy.failuresMax)
    this.#circuit = circuitBreaker(
      handleWhenResult((finding) => (finding as Finding<unknown>).isDown),
      { breaker: this.#streak, halfOpenAfter: atOnce },
    )
    this.#circuit.onBreak(() => this.#opened())
    this.#circuit.onReset(() => this.#closed())
  }

  get state(): BreakerState {
    return states[this.#circuit.state]
  }

  /** Attempts that wait for the provider, and hold nothing. */
  get parkedCount(): number {
    return this.#waiting.size
  }

  /** A call from before a restart says that the provider was down: until we know better we begin with a probe. */
  async suspect(): Promise<void> {
    if (this.#hasAsked || this.state !== 'closed') return
    this.#streak.isCertain = true
    const error = new ProviderUnavailable('it was down before the restart')
    this.#found = error
    await this.#circuit.execute(() => ({ isDown: true, outcome: { kind: 'down', error } }) as const)
    this.#letProbe()
  }

  /**
   * Runs the attempt in a slot once the provider may be asked. Rejects with `AttemptReleased` when it failed and the
   * provider is down, with what `attempt` threw in every other case, and with the signal's reason while it waits.
   */
  async guard<R>(attempt: Admitted<R>, own: OwnFailures, signal: AbortSignal): Promise<R> {
    const place = this.#places++
    for (;;) {
      await this.#admission(place, signal)
      // Slots are waited for, too, and the provider may be down by then.
      const outcome = await this.#ports.withSlot(async () =>
        this.#isAdmitted ? this.#ask(attempt, own) : null,
      )
      if (outcome === null) continue
      if (outcome.kind === 'answered') return outcome.result
      if (outcome.kind !== 'down' || this.state === 'closed') throw outcome.error
      throw new AttemptReleased(outcome.error)
    }
  }

  async #ask<R>(attempt: Admitted<R>, own: OwnFailures): Promise<Outcome<R>> {
    const isProbe = this.state === 'open'
    let startedAt = this.#ports.clock.now()
    this.#isProbeDue = false
    this.#hasAsked = true
    let answered = () => {}
    const firstAnswer = new Promise<null>((resolve) => {
      answered = () => resolve(null)
    })
    const ended = outcomeOf(() => attempt(isProbe, answered))
    // The first answer of a long attempt tells all that waits for it that the provider is back; its end is told apart.
    const failed = (error: ProviderUnavailable) => this.#isOutage(error, startedAt, own)
    const early = await this.#find(isProbe, failed, Promise.race([ended, firstAnswer]))
    if (early !== null) return early
    startedAt = this.#ports.clock.now()
    const outcome = await ended
    // Otherwise it would be taken for a probe.
    if (this.state === 'closed') await this.#find(false, failed, Promise.resolve(outcome))
    return outcome
  }

  /** Tells the library what has come of an attempt; null: it was answered, and goes on. */
  async #find<R>(
    isProbe: boolean,
    isOutage: (error: ProviderUnavailable) => boolean,
    ended: Promise<Outcome<R> | null>,
  ): Promise<Outcome<R> | null> {
    const { outcome } = await this.#circuit.execute(async (): Promise<Finding<R>> => {
      const outcome = await ended
      // One from before the opening says nothing new, and must not end the probe that may be under way.
      if (outcome === null || outcome.kind === 'answered' || outcome.kind === 'refused') this.#row++
      if (outcome === null || (!isProbe && this.state !== 'closed')) return { isDown: false, outcome }
      if (outcome.kind === 'unasked') {
        this.#found = null
        return { isDown: isProbe, outcome }
      }
      if (outcome.kind !== 'down') return { isDown: false, outcome }
      this.#found = outcome.error
      this.#streak.isCertain ||= isOutage(outcome.error)
      return { isDown: true, outcome }
    })
    return outcome
  }

  #isOutage(error: ProviderUnavailable, startedAt: Millis, own: OwnFailures): boolean {
    const { failuresMax, ownFailuresMax, shareMs } = this.#policy
    if (error instanceof AccountRefused) return true
    if (failuresMax === 0) return false
    const askedMs = error.retryAfterMs ?? 0
    if (own.row !== this.#row) own.count = 0
    own.row = this.#row
    own.count += Math.max(1, Math.ceil((this.#ports.clock.now() - startedAt + askedMs) / shareMs))
    return askedMs >= shareMs || own.count >= ownFailuresMax
  }

  #opened(): void {
    const found = this.#found
    if (found === null) return this.#letProbe()
    const cause = found instanceof AccountRefused ? found.matter : 'provider'
    const isNew = this.#openedAt === null
    if (isNew) this.#openedAt = this.#ports.clock.now()
    else this.#failedProbes++
    if (isNew || cause !== this.#cause) this.#ports.opened(reasonOf(found), cause)
    this.#cause = cause
    const askedMs = Math.max(this.#policy.probeMs * 2 ** this.#failedProbes, found.retryAfterMs ?? 0)
    const waitMs = Math.min(askedMs, limits.probeMsMax)
    this.#cancelProbe = this.#ports.clock.after(waitMs, () => this.#letProbe())
  }

  #closed(): void {
    const downMs = this.#ports.clock.now() - (this.#openedAt ?? 0)
    this.#openedAt = null
    this.#failedProbes = 0
    this.#ports.closed(downMs)
    for (const waiting of this.#inOrder()) waiting.go()
  }

  // --- waiting ----------------------------------------------------------------------------------------------------

  get #isAdmitted(): boolean {
    return this.state === 'closed' || (this.state === 'open' && this.#isProbeDue)
  }

  #letProbe(): void {
    if (this.state !== 'open') return
    this.#cancelProbe()
    this.#isProbeDue = true
    this.#inOrder()[0]?.go()
  }

  /** One that found the provider down while it waited for a slot stands where it stood. */
  #inOrder(): readonly Waiting[] {
    return [...this.#waiting].sort((one, other) => one.place - other.place)
  }

  #admission(place: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#isAdmitted) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const abort = () => {
        this.#waiting.delete(waiting)
        reject(signal.reason)
      }
      const waiting: Waiting = {
        place,
        go: () => {
          this.#waiting.delete(waiting)
          signal.removeEventListener('abort', abort)
          resolve()
        },
      }
      signal.addEventListener('abort', abort, { once: true })
      this.#waiting.add(waiting)
    })
  }
}

async function outcomeOf<R>(attempt: () => Promise<R>): Promise<Outcome<R>> {
  try {
    return { kind: 'answered', result: await attempt() }
  } catch (error) {
    if (error instanceof ProviderUnavailable) return { kind: 'down', error }
    return { kind: error instanceof ProviderRejected ? 'refused' : 'unasked', error }
  }
}

/** So many in a row, or one that is certain. */
class FailureStreak extends ConsecutiveBreaker {
  isCertain = false

  override success(): void {
    this.isCertain = false
    super.success()
  }

  override failure(): boolean {
    return super.failure() || this.isCertain
  }
}
