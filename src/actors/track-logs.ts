/**
 * The packets that one call has received: a receive log for each of its tracks. Most calls have one track, so the log of track 0 is
 * always there and the others are made by their first packet. Figures of the call are those of track 0 while there is no
 * other one, and sums otherwise.
 */
import { ReceiveLog } from './receive-log.js'

export class TrackLogs {
  readonly first: ReceiveLog
  /** Of the tracks from 1 on. */
  #others: (ReceiveLog | undefined)[] | null = null

  constructor(first: ReceiveLog = new ReceiveLog()) {
    this.first = first
  }

  get hasOthers(): boolean {
    return this.#others !== null
  }

  of(track: number): ReceiveLog | undefined {
    return track === 0 ? this.first : this.#others?.[track - 1]
  }

  /** Makes it where it is not there. */
  open(track: number): ReceiveLog {
    if (track === 0) return this.first
    this.#others ??= []
    let log = this.#others[track - 1]
    if (log === undefined) {
      log = new ReceiveLog()
      this.#others[track - 1] = log
    }
    return log
  }

  /** By ascending number. */
  all(): readonly { readonly track: number; readonly log: ReceiveLog }[] {
    const others = (this.#others ?? []).flatMap((log, index) =>
      log === undefined ? [] : [{ track: index + 1, log }],
    )
    return [{ track: 0, log: this.first }, ...others]
  }

  get totalReceived(): number {
    return this.#sum((log) => log.totalReceived)
  }

  get missingCount(): number {
    return this.#sum((log) => log.missingCount)
  }

  get lateCount(): number {
    return this.#sum((log) => log.lateCount)
  }

  get surplusCount(): number {
    return this.#sum((log) => log.surplusCount)
  }

  /** Of those tracks of which it is known; null where it is known of none. */
  get expectedTotal(): number | null {
    if (this.#others === null) return this.first.expectedTotal
    const known = this.all().flatMap(({ log }) => (log.expectedTotal === null ? [] : [log.expectedTotal]))
    return known.length === 0 ? null : known.reduce((sum, total) => sum + total, 0)
  }

  /** Of any track. */
  get highestSequence(): number | null {
    if (this.#others === null) return this.first.highestSequence
    const highest = Math.max(...this.all().map(({ log }) => log.highestSequence ?? -1))
    return highest < 0 ? null : highest
  }

  #sum(figure: (log: ReceiveLog) => number): number {
    let sum = figure(this.first)
    for (const log of this.#others ?? []) if (log !== undefined) sum += figure(log)
    return sum
  }

  /** Base64 of each log's snapshot, by its track. */
  snapshot(): readonly (string | null)[] {
    return [this.first, ...(this.#others ?? [])].map((log) =>
      log === undefined ? null : Buffer.from(log.snapshot()).toString('base64'),
    )
  }

  static restore(snapshot: readonly (string | null)[]): TrackLogs {
    const [first = null, ...others] = snapshot.map((text) =>
      text === null ? null : ReceiveLog.restore(Buffer.from(text, 'base64')),
    )
    const logs = new TrackLogs(first ?? new ReceiveLog())
    if (others.length > 0) logs.#others = others.map((log) => log ?? undefined)
    return logs
  }
}
