/** A call as the page knows it: its last row, its times as numbers, and its recent loss. */
import type { CallRow } from '../../protocol/floor.js'

/** Loss "now" is that of so long. */
const recentMs = 10_000
const sampleMs = 1000
/** Loss must fall well below the bound before a call is no longer losing, or it would come and go. */
const losingFrom = 0.05
const losingUntil = 0.03
/** So many packets must be expected within the window, and so many lost, before their share says anything. */
const packetsForShare = 60
const lostForShare = 5

interface LossSample {
  readonly at: number
  readonly received: number
  readonly missing: number
}

export class CallRecord {
  readonly id: string
  readonly createdAt: number
  row: CallRow
  lastPacketAt: number
  completedAt: number | null = null
  endedAt: number | null = null
  /** When the page saw its analysis become due; null while it never did. */
  processingSince: number | null = null
  /** Of the last seconds, 0 to 1; null while too few packets came to tell. */
  recentLoss: number | null = null
  losingSince: number | null = null
  /** The picture in which it was last seen. */
  generation: number
  #endedAtText: string | null = null
  #samples: LossSample[] = []

  constructor(row: CallRow, at: number, generation: number) {
    this.id = row.call_id
    this.createdAt = Date.parse(row.created_at)
    this.row = row
    this.lastPacketAt = 0
    this.generation = generation
    this.update(row, at, generation)
  }

  update(row: CallRow, at: number, generation: number): void {
    if (row.state === 'PROCESSING_AI' && this.row.state !== 'PROCESSING_AI') this.processingSince = at
    this.row = row
    this.generation = generation
    this.lastPacketAt = Date.parse(row.last_packet_at ?? row.created_at)
    if (row.completed_at !== null) this.completedAt ??= Date.parse(row.completed_at)
    // A call that is analysed again ends again; between two rows its second analysis may have passed unseen.
    if (row.ended_at !== this.#endedAtText) {
      this.#endedAtText = row.ended_at
      this.endedAt = row.ended_at === null ? null : Date.parse(row.ended_at)
    }
    this.#observeLoss(at)
  }

  /** Over its whole life, 0 to 1. */
  get loss(): number {
    const { missing_count: missing, total_received: received } = this.row
    return missing + received === 0 ? 0 : missing / (missing + received)
  }

  /** How long it has been going on, or lasted: without the time in which the service waited for more. */
  durationMs(now: number): number {
    const { reason } = this.row
    const end = this.isLive ? now : reason === 'completed' ? this.completedAt : this.lastPacketAt
    return Math.max(0, (end ?? this.lastPacketAt) - this.createdAt)
  }

  get isLive(): boolean {
    return this.row.state === 'IN_PROGRESS'
  }

  #observeLoss(at: number): void {
    if (!this.isLive) {
      this.#samples = []
      this.recentLoss = null
      this.losingSince = null
      return
    }
    const { total_received: received, missing_count: missing } = this.row
    const last = this.#samples.at(-1)
    if (last === undefined || at - last.at >= sampleMs) this.#samples.push({ at, received, missing })
    while ((this.#samples[1]?.at ?? at) < at - recentMs) this.#samples.shift()
    const first = this.#samples[0]
    if (first === undefined) return
    // A late packet lowers the count of missing ones again: then nothing was lost in this window.
    const lost = Math.max(0, missing - first.missing)
    const expected = received - first.received + lost
    this.recentLoss = expected < packetsForShare ? null : lost / expected
    this.#judgeLoss(lost, at)
  }

  #judgeLoss(lost: number, at: number): void {
    if (this.recentLoss === null) return
    if (this.recentLoss >= losingFrom && lost >= lostForShare) this.losingSince ??= at
    else if (this.recentLoss < losingUntil) this.losingSince = null
  }
}
