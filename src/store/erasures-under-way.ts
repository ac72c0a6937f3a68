/** Erasures that are not settled: what wants to replay such a call waits until it is known whether there is one. */
import type { CallId } from '../protocol/call-id.js'
import type { Settlement } from './journal.js'

export class ErasuresUnderWay {
  readonly #settled = new Map<CallId, Promise<void>>()

  /** The settlement to be told instead of `settlement`. */
  begin(callId: CallId, settlement: Settlement): Settlement {
    let resolve = () => {}
    const settled = new Promise<void>((done) => {
      resolve = done
    })
    this.#settled.set(callId, settled)
    const end = () => {
      if (this.#settled.get(callId) === settled) this.#settled.delete(callId)
      resolve()
    }
    const { replyTo } = settlement
    return {
      ...settlement,
      replyTo: {
        answered: (answer) => {
          end()
          replyTo.answered(answer)
        },
        failed: (error) => {
          end()
          replyTo.failed(error)
        },
      },
    }
  }

  async settled(callId: CallId): Promise<void> {
    await this.#settled.get(callId)
  }
}
