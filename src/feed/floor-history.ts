/**
 * The counts of the floor: totals, rates of the last seconds, and the last hour in buckets of 10 s. A packet only adds to
 * plain numbers; a look at the clock is taken once a second. Since the start of the process, not from the store.
 */

import type { ArrivalFacts, BlockFacts } from '../actors/call-facts.js'
import type { Clock, Millis } from '../clock.js'
import { rfc3339 } from '../clock.js'
import { limits } from '../limits.js'
import type { CallState } from '../protocol/call.js'
import type { FloorBucket, FloorTotals } from '../protocol/floor.js'

const counted = [
  'packets',
  'duplicates',
  'rejected',
  'late',
  'skipped',
  'lost',
  'calls_started',
  'calls_archived',
  'calls_failed',
  'ai_attempts_succeeded',
  'ai_attempts_failed',
] as const
type Counts = Record<(typeof counted)[number], number>

const noCounts = (): Counts => Object.fromEntries(counted.map((name) => [name, 0])) as Counts
const statusCounts = { accepted: 'packets', duplicate: 'duplicates', rejected: 'rejected' } as const

export interface FloorHistoryPorts {
  readonly clock: Clock
  callsIn(state: CallState): number
}

export class FloorHistory {
  readonly #ports: FloorHistoryPorts
  readonly #counts = noCounts()
  /** The counts of the last seconds, oldest first, and when they were taken. */
  readonly #samples: { readonly at: Millis; readonly counts: Counts }[] = []
  readonly #buckets: FloorBucket[] = []
  #openedAt: Millis
  #countsAtOpening = noCounts()
  #cancel: (() => void) | null = null

  constructor(ports: FloorHistoryPorts) {
    this.#ports = ports
    this.#openedAt = bucketOf(ports.clock.now())
  }

  start(): void {
    this.#sample()
    this.#cancel = this.#ports.clock.after(1000, () => this.start())
  }

  stop(): void {
    this.#cancel?.()
  }

  // --- counting ---------------------------------------------------------------------------------------------------

  packet({ status, isLate, skippedCount }: ArrivalFacts): void {
    this.#counts[statusCounts[status]]++
    if (isLate) this.#counts.late++
    this.#counts.skipped += skippedCount
  }

  block({ accepted, duplicates, count, lateCount, skippedCount }: BlockFacts): void {
    this.#counts.packets += accepted
    this.#counts.duplicates += duplicates
    this.#counts.rejected += count - accepted - duplicates
    this.#counts.late += lateCount
    this.#counts.skipped += skippedCount
  }

  stateChanged(from: CallState | null, to: CallState, missingCount: number): void {
    if (from === null) this.#counts.calls_started++
    if (from === 'COMPLETED' && to === 'PROCESSING_AI') this.#counts.lost += missingCount
    if (to === 'ARCHIVED') this.#counts.calls_archived++
    if (to === 'FAILED') this.#counts.calls_failed++
  }

  attemptEnded(outcome: 'succeeded' | 'failed'): void {
    this.#counts[`ai_attempts_${outcome}`]++
  }

  #sample(): void {
    const now = this.#ports.clock.now()
    this.#samples.push({ at: now, counts: { ...this.#counts } })
    if (this.#samples.length > limits.floorRateSeconds + 1) this.#samples.shift()
    while (bucketOf(now) > this.#openedAt) this.#closeBucket()
  }

  #closeBucket(): void {
    this.#buckets.push(this.#openBucket())
    if (this.#buckets.length > limits.floorHistoryBuckets) this.#buckets.shift()
    this.#openedAt += limits.floorBucketMs
    this.#countsAtOpening = { ...this.#counts }
  }

  #openBucket(): FloorBucket {
    return {
      at: rfc3339(this.#openedAt),
      ...difference(this.#counts, this.#countsAtOpening),
      calls_in_progress: this.#ports.callsIn('IN_PROGRESS'),
      ai_queue: this.#ports.callsIn('PROCESSING_AI'),
    }
  }

  // --- telling ----------------------------------------------------------------------------------------------------

  /** Oldest first; the last one is still open. */
  buckets(): readonly FloorBucket[] {
    return [...this.#buckets, this.#openBucket()]
  }

  totals(): FloorTotals {
    const { callsIn } = this.#ports
    const rates = this.#rates()
    const hour = noCounts()
    for (const bucket of this.buckets()) for (const name of counted) hour[name] += bucket[name]
    return {
      calls: {
        IN_PROGRESS: callsIn('IN_PROGRESS'),
        COMPLETED: callsIn('COMPLETED'),
        PROCESSING_AI: callsIn('PROCESSING_AI'),
        ARCHIVED: callsIn('ARCHIVED'),
        FAILED: callsIn('FAILED'),
      },
      packets_per_second: rates('packets'),
      duplicates_per_second: rates('duplicates'),
      rejected_per_second: rates('rejected'),
      late_per_second: rates('late'),
      skipped_per_second: rates('skipped'),
      ai_queue: callsIn('PROCESSING_AI'),
      last_hour: {
        packets: hour.packets,
        lost: hour.lost,
        archived: hour.calls_archived,
        failed: hour.calls_failed,
        ai_attempts_failed: hour.ai_attempts_failed,
      },
    }
  }

  #rates(): (name: keyof Counts) => number {
    const [oldest] = this.#samples
    const seconds = oldest === undefined ? 0 : (this.#ports.clock.now() - oldest.at) / 1000
    return (name) => {
      // Since the start, at first: a second at least, so that a few packets do not look like thousands.
      const count = this.#counts[name] - (oldest?.counts[name] ?? 0)
      return Math.round((count / Math.max(seconds, 1)) * 10) / 10
    }
  }
}

function bucketOf(at: Millis): Millis {
  return Math.floor(at / limits.floorBucketMs) * limits.floorBucketMs
}

function difference(after: Counts, before: Counts): Counts {
  const counts = noCounts()
  for (const name of counted) counts[name] = after[name] - before[name]
  return counts
}
