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
 * `AttemptReleased`. So are, in hindsight, those that it opened at: `wasOutage` knows them, and who counted one takes it
 * back. So an outage costs no attempts, however long it lasts; it fails only calls that have none left before it is noticed.
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
import { ProviderExhausted, ProviderRejected, ProviderUnavailable } from './provider.js'
import { reasonOf } from './retry.js'
import { type Admitted, AttemptReleased } from './retry-task.js'

export type BreakerState = 'closed' | 'open' | 'half_open'

export interface BreakerPolicy {
  /** Failures in a row that are an outage; 0: only `ProviderExhausted` tells of one. */
  readonly failuresMax: number
  /** From the opening to the first probe. Each wait after it is twice as long, up to `limits.probeMsMax`. */
  readonly probeMs: Millis
  /** A server that asks for so long a wait (`Retry-After`) or a longer one has said that it is down, too. */
  readonly outageWaitMs: Millis
}

export interface BreakerPorts {
  readonly clock: Clock
  /** At most so many attempts at a time run inside it, in the order in which they came. */
  withSlot<R>(attempt: () => Promise<R>): Promise<R>
  /** The provider counts as down from now on. Probes that fail do not tell it again. */
  opened(reason: string): void
  closed(afterMs: Millis): void
}

/** What an attempt says about the provider: it answered, it is down, or nothing, because it was not asked. */
type Outcome<R> =
  | { readonly kind: 'answered'; readonly result: R }
  | { readonly kind: 'refused'; readonly error: unknown }
  | { readonly kind: 'down'; readonly error: ProviderUnavailable }
  | { readonly kind: 'unasked'; readonly error: unknown }

/** What the library is told of it. */
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
  #hasAsked = false
  #isProbeDue = false
  #failedProbes = 0
  #openedAt: Millis | null = null
  /** Why the breaker opens; null where a probe ended without the provider having been asked. */
  #found: ProviderUnavailable | null = null
  /** The failures at which it opened. */
  readonly #outages = new WeakSet<Error>()
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

  /** It was thrown as a failure that counts, and has turned out to be the beginning of an outage. */
  wasOutage(error: Error): boolean {
    return this.#outages.has(error)
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
  async guard<R>(attempt: Admitted<R>, signal: AbortSignal): Promise<R> {
    const place = this.#places++
    for (;;) {
      await this.#admission(place, signal)
      // Slots are waited for, too, and the provider may be down by then.
      const outcome = await this.#ports.withSlot(async () => (this.#isAdmitted ? this.#ask(attempt) : null))
      if (outcome === null) continue
      if (outcome.kind === 'answered') return outcome.result
      if (outcome.kind !== 'down' || this.state === 'closed') throw outcome.error
      throw new AttemptReleased(outcome.error)
    }
  }

  async #ask<R>(attempt: Admitted<R>): Promise<Outcome<R>> {
    const isProbe = this.state === 'open'
    this.#isProbeDue = false
    this.#hasAsked = true
    let answered = () => {}
    const firstAnswer = new Promise<null>((resolve) => {
      answered = () => resolve(null)
    })
    const ended = outcomeOf(() => attempt(isProbe, answered))
    // The first answer of a long attempt tells all that waits for it that the provider is back; its end is told apart.
    const early = await this.#find(isProbe, Promise.race([ended, firstAnswer]))
    if (early !== null) return early
    const outcome = await ended
    // Otherwise it would be taken for a probe.
    if (this.state === 'closed') await this.#find(false, Promise.resolve(outcome))
    return outcome
  }

  /** Tells the library what has come of an attempt; null: it was answered, and goes on. */
  async #find<R>(isProbe: boolean, ended: Promise<Outcome<R> | null>): Promise<Outcome<R> | null> {
    const { outcome } = await this.#circuit.execute(async (): Promise<Finding<R>> => {
      const outcome = await ended
      // One from before the opening says nothing new, and must not end the probe that may be under way.
      if (outcome === null || (!isProbe && this.state !== 'closed')) return { isDown: false, outcome }
      if (outcome.kind === 'unasked') {
        this.#found = null
        return { isDown: isProbe, outcome }
      }
      if (outcome.kind !== 'down') return { isDown: false, outcome }
      this.#found = outcome.error
      this.#streak.isCertain ||= this.#tellsOfOutage(outcome.error)
      if (!isProbe && this.#policy.failuresMax > 0) this.#streak.failures.push(outcome.error)
      return { isDown: true, outcome }
    })
    return outcome
  }

  #tellsOfOutage(error: ProviderUnavailable): boolean {
    const { failuresMax, outageWaitMs } = this.#policy
    return (
      error instanceof ProviderExhausted || (failuresMax > 0 && (error.retryAfterMs ?? 0) >= outageWaitMs)
    )
  }

  #opened(): void {
    for (const failure of this.#streak.failures.splice(0)) this.#outages.add(failure)
    const found = this.#found
    if (found === null) return this.#letProbe()
    if (this.#openedAt === null) {
      this.#openedAt = this.#ports.clock.now()
      this.#ports.opened(reasonOf(found))
    } else this.#failedProbes++
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
  /** Of this row, while it has not opened the breaker. */
  readonly failures: ProviderUnavailable[] = []

  override success(): void {
    this.isCertain = false
    this.failures.length = 0
    super.success()
  }

  override failure(): boolean {
    return super.failure() || this.isCertain
  }
}
