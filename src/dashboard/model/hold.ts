/** Whether somebody is at a list with the pointer or the keys, so that its rows must stay where they are. */

/** A pointer that was left on a list is nobody; the list must not hide what is urgent from who comes back. */
const restMsMax = 30_000

export class Hold {
  readonly #changed: () => void
  #isPointedAt = false
  #isFocused = false
  #movedAt = 0

  constructor(changed: () => void) {
    this.#changed = changed
  }

  isHeld(): boolean {
    return (this.#isPointedAt || this.#isFocused) && performance.now() - this.#movedAt < restMsMax
  }

  /** The pointer moves, the wheel turns or a key is pressed. */
  moved(): void {
    this.#movedAt = performance.now()
  }

  pointed(isPointedAt: boolean): void {
    this.#set(() => {
      this.#isPointedAt = isPointedAt
    })
  }

  /** With the keys alone: a click leaves the focus behind, and goes on elsewhere. */
  focused(isFocused: boolean): void {
    this.#set(() => {
      this.#isFocused = isFocused
    })
  }

  /** The list is no longer there. */
  left(): void {
    this.#set(() => {
      this.#isPointedAt = false
      this.#isFocused = false
    })
  }

  #set(change: () => void): void {
    const wasHeld = this.isHeld()
    change()
    this.moved()
    if (this.isHeld() !== wasHeld) this.#changed()
  }
}
