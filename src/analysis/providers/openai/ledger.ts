/**
 * What an analysis has asked for and got so far, kept over attempts and restarts: the answer of each step, so that none
 * is asked for twice, and an account of every request, those that failed included.
 */
import { limits } from '../../../limits.js'
import type { ProviderRequest } from '../../../protocol/analysis.js'
import { type AnalysisCheckpoints, ProviderUnavailable } from '../../provider.js'

const requestPrefix = 'request/'

interface Step {
  readonly answer: unknown
}

export class NotKept extends Error {}

export class Ledger {
  readonly #checkpoints: AnalysisCheckpoints
  readonly #isClosed: boolean
  readonly #steps: Map<string, Step>
  readonly #requests: ProviderRequest[]
  /** At the step that is being taken. */
  #attempt: number

  private constructor(
    checkpoints: AnalysisCheckpoints,
    steps: Map<string, Step>,
    requests: ProviderRequest[],
    attempt: number,
    isClosed: boolean,
  ) {
    this.#checkpoints = checkpoints
    this.#isClosed = isClosed
    this.#steps = steps
    this.#requests = requests
    this.#attempt = attempt
  }

  /** A closed one only gives back what is kept, and throws `NotKept` for all other steps. */
  static async open(checkpoints: AnalysisCheckpoints, attempt: number, isClosed = false): Promise<Ledger> {
    const steps = new Map<string, Step>()
    const requests: ProviderRequest[] = []
    for (const [key, text] of await checkpoints.load())
      if (key.startsWith(requestPrefix)) requests.push(JSON.parse(text))
      else steps.set(key, JSON.parse(text))
    return new Ledger(checkpoints, steps, requests, attempt, isClosed)
  }

  /** In the order in which they were made. */
  get requests(): readonly ProviderRequest[] {
    return this.#requests
  }

  /** The answer of a step that was taken before, or that of `take`, once it is kept. `T` is what `take` has always made. */
  async step<T>(key: string, take: () => Promise<T>): Promise<T> {
    const kept = this.#steps.get(key)
    if (kept !== undefined) return kept.answer as T
    if (this.#isClosed) throw new NotKept()
    const answer = await take()
    const text = JSON.stringify({ answer })
    if (key.length + text.length > limits.checkpointCharactersMax)
      throw new ProviderUnavailable('an answer that is too long to be kept')
    this.#steps.set(key, { answer })
    await this.#checkpoints.save(key, text)
    this.#attempt = 1
    return answer
  }

  /** A request has been made, whatever came of it. */
  async note(request: Omit<ProviderRequest, 'attempt'>): Promise<void> {
    if (this.#requests.length >= limits.ledgerRequestsMax) return
    const noted = { ...request, attempt: this.#attempt }
    this.#requests.push(noted)
    await this.#checkpoints.note(`${requestPrefix}${this.#requests.length}`, JSON.stringify(noted))
  }
}
