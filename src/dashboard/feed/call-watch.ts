/**
 * One call as it happens: its view, all its gaps and its stored packets are read once, then its events keep them up to
 * date. The socket is open before anything is read, and every event may be applied twice, so nothing falls between.
 */

import type { Static } from 'typebox'
import { SupervisorClient } from '../../client/supervisor-client.js'
import type { CallView, GapPage, PacketPage } from '../../protocol/call.js'
import type { SupervisorEvent } from '../../protocol/event.js'
import { Arrivals } from '../model/arrivals.js'
import { isCallName } from '../model/call-name.js'
import { MissingRanges, type Range } from '../model/missing-ranges.js'
import { type ApiPath, callPath } from './api-path.js'
import { NotAnswered, NotSignedIn, reasonOf, type Session } from './session.js'

/** Of the past the last five minutes of audio are read: a call of a day is not to be carried into a tab. */
const pastPacketsMax = 15_000
const gapPagesMax = 20
const pageLimit = 1000
/** After a read that failed: the line to the events may be whole, so nothing else would bring it up again. */
const readAgainMs = 5000

type PacketReceived = Extract<SupervisorEvent, { event: 'packet_received' }>

export type CallContent =
  | { readonly kind: 'loading' }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'loaded'; readonly view: CallView }

export interface Step {
  readonly at: number
  readonly text: string
}

export class CallWatch {
  readonly callId: string
  readonly missing = new MissingRanges()
  readonly arrivals = new Arrivals()
  /** What was told of its lifecycle while it was watched, oldest first. */
  readonly steps: Step[] = []
  content: CallContent = { kind: 'loading' }
  /** Of the packets before the call was opened: not read yet, the last ones only, or all of them. */
  past: 'unread' | 'recent' | 'whole' = 'unread'
  /** Why what is shown could not be read anew; null while it is up to date. */
  failure: string | null = null
  isLive = false
  readonly #session: Session
  readonly #changed: () => void
  readonly #client: SupervisorClient | null
  #isStopped = false
  #timer: ReturnType<typeof setTimeout> | undefined
  #isReading = false
  #isReadWanted = false
  /** Rises with each reset: what was read of the past before it has a hole. */
  #resets = 0
  #pastReadAfter = -1
  /** Events that came while the call was read: they may be newer than the answer. */
  #meanwhile: PacketReceived[] | null = null

  constructor(session: Session, callId: string, changed: () => void) {
    this.#session = session
    this.callId = callId
    this.#changed = changed
    // A link may name anything; the service would refuse it, again and again.
    if (!isCallName(callId)) {
      this.content = { kind: 'unknown' }
      this.#client = null
      return
    }
    this.#client = new SupervisorClient({
      ...session.socket(),
      calls: [callId],
      start: 'now',
      // What was missed cannot be had as events, so everything is read anew.
      onReset: () => {
        this.#resets++
        void this.#readAgain()
      },
      onStatus: ({ kind }) => {
        this.isLive = kind === 'live'
        // From here on every event comes: what is read now can be kept up to date.
        if (this.isLive && this.content.kind !== 'loaded') void this.#readAgain()
        this.#changed()
      },
      onEvent: (event) => {
        this.#take(event)
        this.#changed()
      },
    })
  }

  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#timer)
    this.#client?.dispose()
  }

  readNow(): void {
    void this.#readAgain()
  }

  #take(event: SupervisorEvent): void {
    // Of a call with several tracks each has its own account: it is read, not counted here.
    if (event.event === 'packet_received' && event.track === undefined && !this.#hasTracks) {
      this.#meanwhile?.push(event)
      this.#packet(event)
    } else if (event.event === 'packet_duplicate')
      this.#update(({ duplicate_count }) => ({ duplicate_count: duplicate_count + 1 }))
    else if (event.event === 'packet_rejected')
      this.#step(event.at, `Packet ${event.sequence} arrived after the grace period and was rejected`)
    else {
      if (event.event === 'state_changed' && event.to_state === 'PROCESSING_AI')
        this.#step(
          event.at,
          event.from_state === 'FAILED'
            ? 'Analysis restarted by hand'
            : 'Grace period over, analysis started',
        )
      void this.#readAgain()
    }
  }

  get #hasTracks(): boolean {
    return this.content.kind === 'loaded' && this.content.view.tracks !== undefined
  }

  #packet(event: PacketReceived): void {
    const { sequence } = event
    const arrival = this.missing.arrive(sequence)
    this.arrivals.add(sequence, Date.parse(event.at), arrival === 'late')
    if (this.content.kind === 'unknown') void this.#readAgain()
    this.#update((view) => {
      if (event.total_received <= view.total_received) return {}
      return {
        total_received: event.total_received,
        missing_count: event.missing_count,
        highest_sequence: Math.max(view.highest_sequence ?? 0, sequence),
        late_count: view.late_count + (arrival === 'late' ? 1 : 0),
        last_packet_at: event.at,
      }
    })
  }

  #update(change: (view: CallView) => Partial<CallView>): void {
    if (this.content.kind !== 'loaded') return
    const { view } = this.content
    this.content = { kind: 'loaded', view: { ...view, ...change(view) } }
  }

  #step(at: string, text: string): void {
    this.steps.push({ at: Date.parse(at), text })
    if (this.steps.length > 100) this.steps.shift()
  }

  /** One read at a time; what is asked for meanwhile is one more read after it. */
  async #readAgain(): Promise<void> {
    this.#isReadWanted = true
    if (this.#isReading) return
    this.#isReading = true
    clearTimeout(this.#timer)
    while (this.#isReadWanted && !this.#isStopped) {
      this.#isReadWanted = false
      await this.#read()
    }
    this.#isReading = false
  }

  async #read(): Promise<void> {
    const path = callPath(this.callId)
    try {
      this.#meanwhile = []
      const view = await this.#session.read<CallView>(path)
      const ranges = await this.#readGaps(path, view)
      this.missing.replace(ranges, lastExpected(view))
      this.content = { kind: 'loaded', view }
      for (const event of this.#meanwhile) this.#packet(event)
      this.#meanwhile = null
      this.#changed()
      if (this.#pastReadAfter !== this.#resets) await this.#readPastIfAllowed(path, view)
      this.failure = null
    } catch (error) {
      this.#meanwhile = null
      if (error instanceof NotSignedIn) return
      if (error instanceof NotAnswered && error.status === 404) this.content = { kind: 'unknown' }
      else this.#readFailed(reasonOf(error))
    }
    this.#changed()
  }

  /** What is known stays in sight. */
  #readFailed(reason: string): void {
    this.failure = reason
    if (this.content.kind !== 'loaded') this.content = { kind: 'failed', reason }
    clearTimeout(this.#timer)
    if (!this.#isStopped) this.#timer = setTimeout(() => void this.#readAgain(), readAgainMs)
  }

  async #readGaps(path: ApiPath, view: CallView): Promise<readonly Range[]> {
    if (view.missing_ranges.length < 100) return view.missing_ranges
    const ranges: Range[] = []
    let from: number | null = 0
    for (let page = 0; page < gapPagesMax && from !== null; page++) {
      const read: Static<typeof GapPage> = await this.#session.read(
        `${path}/gaps?from=${from}&limit=${pageLimit}`,
      )
      ranges.push(...read.gaps)
      from = read.next_from
    }
    return ranges
  }

  /** With REDACT packets are for administrators: then arrivals are shown since the call was opened. */
  async #readPastIfAllowed(path: ApiPath, view: CallView): Promise<void> {
    const resets = this.#resets
    try {
      await this.#readPast(path, view)
    } catch (error) {
      if (!(error instanceof NotAnswered && error.status === 403)) throw error
      this.#pastReadAfter = resets
    }
  }

  async #readPast(path: ApiPath, view: CallView): Promise<void> {
    const resets = this.#resets
    const first = Math.max(0, (view.highest_sequence ?? 0) + 1 - pastPacketsMax)
    let from: number | null = first
    for (let page = 0; page <= pastPacketsMax / pageLimit && from !== null && !this.#isStopped; page++) {
      const read: Static<typeof PacketPage> = await this.#session.read(
        `${path}/packets?from=${from}&limit=${pageLimit}`,
      )
      for (const { sequence, received_at } of read.packets)
        this.arrivals.add(sequence, Date.parse(received_at), false)
      from = read.next_from
    }
    this.#pastReadAfter = resets
    this.past = first === 0 ? 'whole' : 'recent'
    this.arrivals.findLate()
  }
}

/** The number up to which packets are missed: the highest that came, and the announced total once there is one. */
function lastExpected(view: CallView): number {
  // Of several tracks the first one is shown.
  const { highest_sequence, expected_total_packets } = view.tracks?.[0] ?? view
  return Math.max(highest_sequence ?? -1, (expected_total_packets ?? 0) - 1)
}
