/** The messages of one supervisor. Its socket's writer takes the next one while there is room. */
export interface SupervisorStream {
  /** The next message, or null when there is none now. */
  next(): string | null
  /** `next` is worth asking, again. */
  readonly hasMore: boolean
  /** It has lost its place in the stream: nothing more can be told without a hole. */
  readonly isEvicted: boolean
  /** About so many bytes wait for it. */
  readonly lagBytes: number
  /** Its socket takes nothing now. */
  skip(): void
  /** Something to send when there was nothing for a while, or null. */
  heartbeat(): string | null
}
