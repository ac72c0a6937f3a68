/** The floor as the page holds it: its picture, the service's clock, the line to it, and what the viewer has seen. */
import type { FeedMessage } from '../../protocol/feed.js'
import { Acknowledgements, type Keep } from '../model/acknowledgements.js'
import { type Need, needsOf } from '../model/attention.js'
import { FloorPicture } from '../model/floor-picture.js'
import { type Freshness, freshnessOf, type Link, ServiceClock } from '../model/freshness.js'
import { Connection } from './connection.js'
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
  #link: Link = { kind: 'connecting' }
  #connection: Connection | null = null

  constructor(session: Session, keep: Keep | null, changed: () => void) {
    this.#session = session
    this.acknowledgements = new Acknowledgements(keep)
    this.#changed = changed
  }

  start(): void {
    this.#connection ??= new Connection({
      session: this.#session,
      query: { view: 'floor' },
      resumes: false,
      message: (message) => this.#take(message),
      link: (link) => {
        if (link.kind === 'open') this.clock.connected()
        this.#link = link
        this.#changed()
      },
    })
  }

  stop(): void {
    this.#connection?.close()
    this.#connection = null
  }

  retryNow(): void {
    this.#connection?.retryNow()
  }

  freshness(): Freshness {
    return freshnessOf(this.#link, this.picture, this.clock, Date.now())
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

  #take(message: FeedMessage): void {
    const localNow = Date.now()
    this.clock.heard(Date.parse(message.at), localNow)
    this.picture.apply(message)
    if (message.event === 'floor' && localNow - this.#trendAt >= trendMs) {
      this.#trendAt = localNow
      push(this.#packetsPerSecond, message.totals.packets_per_second)
      push(this.#live, message.totals.calls.IN_PROGRESS)
    }
    this.#changed()
  }
}

function push(points: number[], value: number): void {
  points.push(value)
  if (points.length > trendPointsMax) points.shift()
}
