/** Waiting for something that this process will notice, without asking again and again. */
import { patience } from './patience.js'

export class Watch {
  readonly #looks = new Set<() => void>()

  /** Whatever is waited for may be so now. */
  changed(): void {
    for (const look of this.#looks) look()
  }

  /** Resolves once `isDone` says so; rejects when it throws, or after `msMax` (`patience`) with what `tell` says. */
  until(isDone: () => boolean, msMax: number, tell: () => string): Promise<void> {
    const waitMs = patience(msMax)
    return new Promise((resolve, reject) => {
      const settle = (end: () => void) => {
        clearTimeout(timer)
        this.#looks.delete(look)
        end()
      }
      const look = () => {
        try {
          if (isDone()) settle(resolve)
        } catch (error) {
          settle(() => reject(error))
        }
      }
      const timer = setTimeout(
        () => settle(() => reject(new Error(`not within ${waitMs} ms: ${tell()}`))),
        waitMs,
      )
      this.#looks.add(look)
      look()
    })
  }
}
