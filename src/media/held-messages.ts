/** Messages that came before the start which says what they are: kept as copies, up to a bound, until somebody takes them. */

/** 2 s of 16 kHz stereo, 8 s of one voice of G.711. */
export const heldBytesMax = 64 * 1024

export interface HeldMessage {
  readonly message: Uint8Array
  readonly isBinary: boolean
}

export class HeldMessages {
  #messages: HeldMessage[] = []
  #bytes = 0

  get isEmpty(): boolean {
    return this.#messages.length === 0
  }

  /** Keeps one always; false when the bound is reached: now they are to be taken. */
  add(message: Uint8Array, isBinary: boolean): boolean {
    // A Buffer's own `slice` is a view.
    this.#messages.push({ message: new Uint8Array(message), isBinary })
    // An empty message costs memory, too.
    this.#bytes += Math.max(message.length, 64)
    return this.#bytes < heldBytesMax
  }

  take(): readonly HeldMessage[] {
    const messages = this.#messages
    this.#messages = []
    this.#bytes = 0
    return messages
  }
}
