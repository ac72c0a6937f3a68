/**
 * One leg: the gateway that these platforms lack. It gives each packet its number in the call, keeps it until the journal has
 * settled it, sends it again after a failed commit (V6), and ends.
 *
 * What it holds is bounded (V7): beyond `unsettledBytesMax`, or when a packet has waited for too long, packets are
 * dropped as recorded gaps, never silently: their numbers stay missing, and a note says how many. A platform that is not
 * read would throw audio away without a number, so nothing here ever stops reading.
 */
import type { BlockFacts } from '../actors/call-facts.js'
import type { CallMessage, LegAnswer } from '../actors/call-messages.js'
import type { Clock, Millis } from '../clock.js'
import type { VoiceStreamError } from '../errors.js'
import { limits } from '../limits.js'
import type { CallId } from '../protocol/call-id.js'
import type { LegEnd, Note, ReplyTo } from '../store/journal.js'
import { durationMsOf, frameBytesOf } from './codecs.js'
import type { DialectTrack, MediaEvent, SkipReason } from './dialect.js'
import { EarlyEvents, type HeldBytes } from './early-events.js'
import { FrameGrid } from './frame-grid.js'
import { HeldPacket } from './held-packet.js'

export interface LegPorts {
  readonly clock: Clock
  tell(callId: CallId, message: CallMessage): void
  /** Bytes that all legs hold together. */
  readonly held: HeldBytes
  /** The call does not take the leg, or takes no more of it. Told once. */
  refused(why: string): void
  /** Nothing of it is left to be settled, and its end is on disk, or it never began. Told once, in every case. */
  ended(): void
  counted(count: 'accepted' | 'duplicates' | 'rejected' | 'shed', packets: number): void
  /** From the arrival of a packet to its settlement. */
  settledAfter(dialect: string, ms: Millis): void
}

export interface LegStart {
  readonly callId: CallId
  readonly leg: string
  readonly dialect: string
  readonly event: Extract<MediaEvent, { type: 'start' }>
  readonly packetMs: Millis
  readonly metadata: Readonly<Record<string, string>>
  /** Of packets that are not settled, and of what comes before the leg has its place. Room for two messages at least. */
  readonly unsettledBytesMax: number
}

interface Track {
  readonly number: number
  readonly base: number
  readonly grid: FrameGrid | null
  readonly packetMs: number
  /** Of the next packet of the grid. */
  next: number
}

export class MediaLeg {
  readonly #ports: LegPorts
  readonly #start: LegStart
  readonly #startedAt: number
  /** Null until the call has placed the leg. */
  #tracks: Track[] | null = null
  /** What came before that. */
  readonly #early: EarlyEvents
  #unsettled = 0
  #unsettledBytes = 0
  #shed = 0
  #tokens: number = limits.legPacketsBurst
  #tokensAt: number
  #stop: { readonly why: LegEnd; readonly totals: readonly (number | null)[] | null } | null = null
  #state: 'starting' | 'open' | 'ending' | 'ended' = 'starting'
  /** The grace period of its call is over. */
  #isRefused = false

  constructor(ports: LegPorts, start: LegStart) {
    this.#ports = ports
    this.#start = start
    this.#early = new EarlyEvents(ports.held, start.unsettledBytesMax, start.event.packetBytes)
    this.#startedAt = ports.clock.now()
    this.#tokensAt = this.#startedAt
    this.#ask()
  }

  get isEnding(): boolean {
    return this.#stop !== null
  }

  // --- its place in the call --------------------------------------------------------------------------------------

  #ask(): void {
    const { callId, leg, dialect, event, packetMs, metadata } = this.#start
    const { tracks, details } = event
    const request = {
      leg,
      dialect,
      voices: tracks.map(({ name, media }) => ({ name, media })),
      packetMs,
      details: { ...details, metadata: { ...details.metadata, ...metadata } },
    }
    const replyTo: ReplyTo<LegAnswer> = {
      answered: (answer) => this.#placed(answer),
      failed: () =>
        this.#ports.clock.after(limits.legRetryMs, () => this.#state === 'starting' && this.#ask()),
    }
    this.#ports.tell(callId, { type: 'leg', request, replyTo })
  }

  #placed(answer: LegAnswer): void {
    const early = this.#early.take()
    if (answer.kind !== 'started') {
      this.#state = 'ended'
      this.#ports.refused(answer.kind)
      return this.#ports.ended()
    }
    const { event } = this.#start
    this.#state = 'open'
    this.#tracks = answer.tracks.map(({ track, base }, index) =>
      this.#trackOf(event.tracks[index] as DialectTrack, track, base),
    )
    for (const held of early) this.take(held)
    if (this.#stop !== null) this.#end()
  }

  #trackOf({ media }: DialectTrack, number: number, base: number): Track {
    const { packetBytes } = this.#start.event
    const frameBytes = frameBytesOf(media) ?? 1
    const grid = packetBytes === null ? null : new FrameGrid(packetBytes, frameBytes)
    const packetMs = packetBytes === null ? 0 : (durationMsOf(media, packetBytes) ?? this.#start.packetMs)
    return { number, base, grid, packetMs, next: 0 }
  }

  // --- what comes on it -------------------------------------------------------------------------------------------

  /** Audio, and what happens beside it. */
  take(event: MediaEvent): void {
    if (this.#state === 'ended' || this.#state === 'ending') return
    if (this.#tracks === null) return this.#keepEarly(event)
    switch (event.type) {
      case 'audio':
        return this.#takeAudio(event)
      case 'skipped':
        return this.#skip(event)
      case 'paused':
      case 'resumed':
        return this.#note({ kind: event.type, ...this.#ofTrack(event.track) })
      case 'dtmf':
        return this.#note({ kind: 'dtmf' })
      case 'mark':
        return this.#note({ kind: 'mark', text: event.name.slice(0, limits.detailCharactersMax) })
      default:
        return
    }
  }

  #keepEarly(event: MediaEvent): void {
    const { shed, isTold } = this.#early.add(event)
    if (isTold) this.#ports.counted('shed', shed)
    else if (shed > 0) this.#drop(shed)
  }

  #takeAudio({
    track: index,
    index: number,
    atMs,
    data,
    isBase64,
  }: Extract<MediaEvent, { type: 'audio' }>): void {
    const track = this.#tracks?.[index]
    if (track === undefined) return
    if (number !== null) {
      this.#send(track, number, atMs ?? this.#ports.clock.now() - this.#startedAt, data, !isBase64)
      return
    }
    for (const packet of track.grid?.cut(data) ?? [data]) this.#sendNext(track, packet, !isBase64)
  }

  #sendNext(track: Track, packet: Uint8Array, isRaw: boolean): void {
    const number = track.next++
    const atMs = track.packetMs > 0 ? number * track.packetMs : this.#ports.clock.now() - this.#startedAt
    this.#send(track, number, atMs, packet, isRaw)
  }

  #send(track: Track, number: number, atMs: number, data: Uint8Array, isRaw: boolean): void {
    const sequence = track.base + number
    if (sequence > limits.sequenceMax || data.length === 0 || data.length > limits.dataBytesMax)
      return this.#drop(1)
    if (!this.#hasRoom(data.length)) return this.#drop(1)
    const timestamp = Math.max((this.#startedAt + atMs) / 1000, Number.MIN_VALUE)
    const packet = new HeldPacket(this, track.number, sequence, data, isRaw, timestamp, this.#tokensAt)
    this.#unsettled++
    this.#unsettledBytes += data.length
    this.#ports.held.bytes += data.length
    this.#ports.tell(this.#start.callId, packet)
  }

  #hasRoom(bytes: number): boolean {
    const now = this.#ports.clock.now()
    const earned = Math.max(0, (now - this.#tokensAt) / 1000) * limits.legPacketsPerSecond
    this.#tokens = Math.min(limits.legPacketsBurst, this.#tokens + earned)
    this.#tokensAt = now
    const fits =
      this.#tokens >= 1 &&
      this.#unsettledBytes + bytes <= this.#start.unsettledBytesMax &&
      this.#ports.held.bytes + bytes <= limits.mediaUnsettledBytesMax
    if (fits) this.#tokens--
    return fits
  }

  settled(packet: HeldPacket, { accepted, duplicates, count }: BlockFacts): void {
    this.#letGo(packet)
    this.#ports.settledAfter(this.#start.dialect, this.#ports.clock.now() - packet.since)
    if (accepted > 0) this.#ports.counted('accepted', accepted)
    else if (duplicates === count) this.#ports.counted('duplicates', duplicates)
    else {
      this.#ports.counted('rejected', count)
      this.#refuse('grace-period-over')
    }
    this.#endIfSettled()
  }

  /** Told again after a failed commit, until it has waited for too long. */
  failed(packet: HeldPacket): void {
    const { clock, tell } = this.#ports
    if (clock.now() - packet.since < limits.legUnsettledMsMax) {
      clock.after(limits.legRetryMs, () => tell(this.#start.callId, packet))
      return
    }
    this.#letGo(packet)
    this.#drop(1)
    this.#endIfSettled()
  }

  #letGo({ data }: HeldPacket): void {
    this.#unsettled--
    this.#unsettledBytes -= data.length
    this.#ports.held.bytes -= data.length
  }

  #refuse(why: string): void {
    if (this.#isRefused || this.#state === 'ended') return
    this.#isRefused = true
    this.#ports.refused(why)
  }

  /** Their numbers stay missing. Told when the leg ends, or once there is room again. */
  #drop(packets: number): void {
    this.#shed += packets
    this.#ports.counted('shed', packets)
    if (this.#shed === packets) this.#ports.clock.after(limits.legShedNoteMs, () => this.#tellShed())
  }

  #tellShed(): void {
    if (this.#shed === 0 || this.#state !== 'open') return
    this.#note({ kind: 'skipped', text: 'shed' satisfies SkipReason, packets: this.#shed })
    this.#shed = 0
  }

  #skip({ track: index, packets, why }: Extract<MediaEvent, { type: 'skipped' }>): void {
    const track = this.#tracks?.[index]
    if (track === undefined || packets <= 0) return
    if (track.grid !== null) track.next += packets
    this.#note({ kind: 'skipped', track: track.number, text: why, packets })
  }

  #ofTrack(index: number | null): { readonly track?: number } {
    const track = index === null ? undefined : this.#tracks?.[index]
    return track === undefined ? {} : { track: track.number }
  }

  /** Kept where the call can keep it: what is lost of it is no audio. */
  #note(note: Omit<Note, 'leg'>): void {
    const { callId, leg } = this.#start
    const replyTo = { answered: () => {}, failed: () => {} }
    this.#ports.tell(callId, { type: 'note', note: { ...note, leg }, replyTo })
  }

  // --- its end ----------------------------------------------------------------------------------------------------

  /** The platform has ended the stream, or its socket is gone; `totals` are of its tracks where its numbers prove them. */
  stop(why: LegEnd, totals: readonly (number | null)[] | null): void {
    if (this.#stop !== null || this.#state === 'ended') return
    this.#stop = { why, totals }
    if (this.#tracks !== null) this.#end()
  }

  #end(): void {
    for (const track of this.#tracks ?? []) {
      const rest = track.grid?.end() ?? null
      if (rest !== null) this.#sendNext(track, rest, true)
    }
    this.#tellShed()
    this.#state = 'ending'
    this.#endIfSettled()
  }

  #endIfSettled(): void {
    if (this.#state !== 'ending' || this.#unsettled > 0) return
    this.#state = 'ended'
    this.#tellEnd()
  }

  #tellEnd(): void {
    const { callId, leg } = this.#start
    const { why, totals } = this.#stop ?? { why: 'lost', totals: null }
    const replyTo = {
      answered: () => this.#ports.ended(),
      failed: (_: VoiceStreamError) => void this.#ports.clock.after(limits.legRetryMs, () => this.#tellEnd()),
    }
    this.#ports.tell(callId, { type: 'leg-end', leg, why, totals, replyTo })
  }
}
