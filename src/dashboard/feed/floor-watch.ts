/** The floor as the page holds it: its picture, the service's clock, the line to it, and what the viewer has seen. */
import { SupervisorClient, type SupervisorStatus } from '../../client/supervisor-client.js'
import type { CallRow, FloorTotals } from '../../protocol/floor.js'
import { isIntact } from '../../protocol/intact.js'
import { Acknowledgements, type Keep } from '../model/acknowledgements.js'
import { type Need, needsOf } from '../model/attention.js'
import { FloorPicture } from '../model/floor-picture.js'
import { type Freshness, freshnessOf, ServiceClock } from '../model/freshness.js'
import type { Session } from './session.js'

/** Of the small curves beside the figures: two minutes, a point a second. */
const trendPointsMax = 120
const trendMs = 1000

export interface Trend {
  readonly packetsPerSecond: readonly number[]
  readonly live: readonly number[]
}

export class FloorWatch {
  readonly picture = new FloorPicture()
  readonly clock = new ServiceClock()
  readonly acknowledgements: Acknowledgements
  readonly #session: Session
  readonly #changed: () => void
  readonly #packetsPerSecond: number[] = []
  readonly #live: number[] = []
  #trendAt = 0
  #isConnected = false
  #client: SupervisorClient | null = null

  constructor(session: Session, keep: Keep | null, changed: () => void) {
    this.#session = session
    this.acknowledgements = new Acknowledgements(keep)
    this.#changed = changed
  }

  start(): void {
    this.#client ??= new SupervisorClient({
      ...this.#session.socket(),
      view: 'floor',
      onStatus: (status) => this.#tellStatus(status),
      onReset: () => this.picture.begin(),
      onSnapshot: ({ at, calls }) => {
        for (const call of calls) if (!isIntact(call)) this.picture.damaged.add(call.call_id)
        this.#take(at, calls.filter(isIntact))
      },
      onFloor: ({ at, totals, changed, gone }) => {
        this.picture.totals = totals
        this.picture.remove(gone)
        this.#remember(totals)
        this.#take(at, changed)
      },
    })
  }

  stop(): void {
    this.#client?.dispose()
    this.#client = null
  }

  /** The viewer does not want to wait, or the tab has just woken up. */
  retryNow(): void {
    if (this.#isConnected) return
    this.stop()
    this.start()
  }

  freshness(): Freshness {
    return freshnessOf(this.#isConnected, this.picture, this.clock, Date.now())
  }

  /** The service's time, as far as it is known. */
  now(): number {
    return this.clock.now(Date.now())
  }

  get trend(): Trend {
    return { packetsPerSecond: this.#packetsPerSecond, live: this.#live }
  }

  needs(): readonly Need[] {
    const needs = needsOf(this.picture.calls.values(), this.now())
    if (this.picture.isComplete) this.acknowledgements.settle(needs)
    return needs
  }

  #tellStatus({ kind }: SupervisorStatus): void {
    this.#isConnected = kind === 'live' || kind === 'catching-up'
    if (kind === 'catching-up') {
      this.clock.connected()
      this.picture.begin()
    }
    if (kind === 'live') this.picture.complete()
    this.#changed()
  }

  #take(at: string, calls: readonly CallRow[]): void {
    const told = Date.parse(at)
    this.clock.heard(told, Date.now())
    this.picture.take(calls, told)
    this.#changed()
  }

  #remember(totals: FloorTotals): void {
    const now = Date.now()
    if (now - this.#trendAt < trendMs) return
    this.#trendAt = now
    push(this.#packetsPerSecond, totals.packets_per_second)
    push(this.#live, totals.calls.IN_PROGRESS)
  }
}

function push(points: number[], value: number): void {
  points.push(value)
  if (points.length > trendPointsMax) points.shift()
}
