/**
 * A call over a platform's sockets. The service decides from which number on a stream comes into which track, and tells it with
 * the streams (`legs`) of its view; everything else is known here: which packets of each stream it must have, and which not.
 */
import type { CallTruth, Difference } from '../account.js'
import { arrivedOf } from '../dialects/sender.js'
import type { CallView, LegView } from '../service-answers.js'
import type { CallCounts, Playing, SimulatedCall } from '../simulated-call.js'
import { PlacedPackets } from './placed-packets.js'
import type { PlayedStream } from './stream-player.js'

/** The service measures by its own clock how long nothing came. */
const clockSlackMs = 2000

export class SocketCall implements SimulatedCall {
  readonly callId: string
  readonly differences: Difference[] = []
  playing: Playing = { kind: 'playing' }
  /** All of them, also those to come. */
  readonly streams: readonly PlayedStream[]
  #missing = 0
  #stored: number | null = null

  constructor(callId: string, streams: readonly PlayedStream[]) {
    this.callId = callId
    this.streams = streams
  }

  get sent(): number {
    return this.streams.reduce((sum, { packets }) => sum + packets, 0)
  }

  get counts(): CallCounts {
    const { sent } = this
    return {
      sent,
      accepted: this.#stored ?? sent,
      duplicate: 0,
      late: 0,
      missing: this.#missing,
      rejected: 0,
      unansweredTries: 0,
    }
  }

  /** The end of a stream is stored behind its packets. */
  isSettled({ legs }: CallView): boolean {
    const opened = this.streams.filter(({ messages }) => messages > 0).length
    return legs.length >= opened && legs.every(({ isEnded }) => isEnded)
  }

  truthOf(view: CallView): CallTruth {
    const open = this.streams
      .filter(({ messages }) => messages > 0)
      .sort((a, b) => (a.firstAtMs ?? 0) - (b.firstAtMs ?? 0))
    const legs = new Legs(view.legs, open)
    const places = new Map<number, PlacedPackets>()
    const misplaced = legs.differences()
    for (const [order, played] of open.entries()) {
      const leg = legs.of(played)
      if (leg !== null) misplaced.push(...place(played, leg, places, open[order - 1]))
    }
    const tracks = [...places].sort(([a], [b]) => a - b)
    this.#stored = tracks.reduce((sum, [, { storedCount }]) => sum + storedCount, 0)
    this.#missing = tracks.reduce((sum, [, { missingCount }]) => sum + missingCount, 0)
    return {
      tracks: tracks.map(([track, account]) => ({
        track,
        account,
        isTotalSaid: false,
        expectedPacket: account.expectedPacket,
      })),
      duplicates: { least: 0, most: 0 },
      misplaced,
    }
  }
}

/** Puts what arrived of a stream into the tracks that its leg names; returns what is wrong with these. */
function place(
  { sender, stream, messages, firstAtMs }: PlayedStream,
  { leg, tracks }: LegView,
  places: Map<number, PlacedPackets>,
  before: PlayedStream | undefined,
): Difference[] {
  const differences: Difference[] = []
  const awayMs = Math.max(0, (firstAtMs ?? 0) - (before?.lastAtMs ?? 0))
  for (const [index, packets] of arrivedOf(sender, stream, messages).entries()) {
    const told = tracks[index]
    if (told === undefined) {
      const [expected, found] = [String(sender.tracks.length), String(tracks.length)]
      return [...differences, { what: `stream ${leg}: tracks`, expected, found }]
    }
    const { track, firstSequence } = told
    const account = places.get(track) ?? new PlacedPackets()
    const packetMs = sender.tracks[index]?.packetMs ?? 1
    const least = (account.highestStored ?? -1) + 1
    const most = least === 0 ? 0 : least + Math.ceil((awayMs + clockSlackMs) / packetMs)
    if (!(least <= firstSequence && firstSequence <= most))
      differences.push({
        what: `stream ${leg}: first sequence in track ${track}`,
        expected: `${least} to ${most}`,
        found: String(firstSequence),
      })
    account.place(firstSequence, packets, stream.breaksAtMs === null)
    places.set(track, account)
  }
  return differences
}

/** Which stream of the view is which of ours: by the platform's id where it has one, else by the order in which they began. */
class Legs {
  readonly #legs: readonly LegView[]
  readonly #left: Set<LegView>
  readonly #streams: readonly PlayedStream[]

  constructor(legs: readonly LegView[], streams: readonly PlayedStream[]) {
    this.#legs = legs
    this.#left = new Set(legs)
    this.#streams = streams
  }

  of(played: PlayedStream): LegView | null {
    const left = [...this.#left]
    const found =
      left.find((leg) => isOf(leg, played)) ??
      left.find((leg) => !this.#streams.some((other) => isOf(leg, other)))
    if (found === undefined) return null
    this.#left.delete(found)
    return found
  }

  differences(): Difference[] {
    if (this.#legs.length === this.#streams.length) return []
    return [{ what: 'streams', expected: String(this.#streams.length), found: String(this.#legs.length) }]
  }
}

function isOf({ leg }: LegView, { stream }: PlayedStream): boolean {
  return leg.startsWith(stream.streamId.slice(0, 64))
}
