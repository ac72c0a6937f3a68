/** Where a command writes: results to `out`, progress and errors to `err`. */
export interface Terminal {
  readonly out: NodeJS.WritableStream
  readonly err: NodeJS.WritableStream
  /** True when `err` is a terminal, on which a progress bar can move. */
  readonly canMove: boolean
  /** The width of `out`, in characters. */
  readonly columns: number
}
