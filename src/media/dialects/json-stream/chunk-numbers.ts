/**
 * From a platform's numbers to the index of each packet in its track, so that a hole in the indexes is a packet that the platform
 * sent and we never got. Three numbers may come with a packet, and each may be missing:
 *
 *     sequence    counts all messages of the stream, with its start and its ends
 *     chunk       counts media: of each track, or of the whole stream (then a packet's own number says nothing of its track)
 *     atMs        the sender's clock, one line for all tracks
 *
 * Which of the two kinds of chunk it is, shows at the first packet of the second track. Where one counter serves two tracks, how
 * many are lost is exact and which track lost them is concluded from the clock (`isInferred`).
 */
import assert from 'node:assert/strict'

export interface NumberingRules {
  /** One counter may serve all tracks. */
  readonly mayShareChunks: boolean
  /** Messages come in the order of their numbers, so a lower number is another stream, not a late packet. */
  readonly isOrdered: boolean
  /** Where nothing else tells: the first packet had this number, or the one that was seen first. */
  readonly firstChunk: 1 | 'seen'
}

export interface PacketNumbers {
  readonly track: number
  readonly sequence: number | null
  readonly chunk: number | null
  readonly atMs: number | null
  /** How long the packet plays, for what a hole in `atMs` is worth. */
  readonly durationMs: number
}

interface TrackNumbers {
  /** The chunk of index 0, where chunks count the track; null before the first. */
  base: number | null
  /** Of the last packet in order, −1 before the first. */
  lastIndex: number
  lastChunk: number
  /** As it was said: one that stands still counts nothing. */
  lastSaid: number | null
  lastAtMs: number | null
  durationMs: number
  /** Lost packets that were found at packets of another track and given to this one. */
  owed: number
  /** The last chunks, each at its remainder, where they may come out of order. */
  readonly seen: Float64Array
}

/** A number that jumps further, half an hour of 20 ms, is another stream and no loss. */
const holePacketsMax = 90_000
/** Telnyx does not promise the order of messages; 200 ms are 10 packets. */
const reorderedMax = 64

export class ChunkNumbers {
  readonly #rules: NumberingRules
  readonly #startSequence: number | null
  readonly #tracks: TrackNumbers[]
  #mode: 'open' | 'shared' | 'apart'
  #first: number | null = null
  #lastChunk = 0
  #lastSequence: number | null
  #otherMessages = 0
  #isRemainderMine = false
  #isInferred = false

  constructor(rules: NumberingRules, startSequence: number | null, tracks: number) {
    this.#rules = rules
    this.#startSequence = startSequence
    this.#lastSequence = startSequence
    this.#mode = rules.mayShareChunks ? 'open' : 'apart'
    this.#tracks = []
    for (let i = 0; i < tracks; i++) this.addTrack()
  }

  /** Whether it was concluded which track lost some packet. */
  get isInferred(): boolean {
    return this.#isInferred
  }

  addTrack(): void {
    const seen = new Float64Array(this.#rules.isOrdered ? 0 : 2 * reorderedMax).fill(-1)
    this.#tracks.push({
      base: null,
      lastIndex: -1,
      lastChunk: -1,
      lastSaid: null,
      lastAtMs: null,
      durationMs: 1,
      owed: 0,
      seen,
    })
  }

  /** A message without audio that has a number. */
  hear(sequence: number | null): void {
    if (sequence === null) return
    this.#otherMessages++
    this.#count(sequence)
  }

  #count(sequence: number | null): void {
    if (sequence !== null) this.#lastSequence = Math.max(sequence, this.#lastSequence ?? 0)
  }

  /** The packet's index in its track; null when the numbers begin anew: the packet belongs to another stream. */
  place(packet: PacketNumbers): number | null {
    const track = this.#track(packet.track)
    const chunk = this.#chunkOf(packet, track)
    if (chunk === null) return null
    if (this.#first === null) {
      this.#first = this.#firstChunk(packet, chunk)
      this.#lastChunk = this.#first - 1
    } else this.#chooseMode(track, chunk)
    const index =
      this.#mode === 'apart' ? this.#placeApart(track, chunk) : this.#placeShared(packet, track, chunk)
    if (index === null) return null
    track.lastChunk = Math.max(track.lastChunk, chunk)
    track.lastSaid = packet.chunk
    track.lastIndex = Math.max(track.lastIndex, index)
    track.lastAtMs = packet.atMs ?? track.lastAtMs
    track.durationMs = packet.durationMs
    this.#lastChunk = Math.max(this.#lastChunk, chunk)
    this.#count(packet.sequence)
    return index
  }

  /**
   * At the first packet of the second track: the next number of all means one counter, a lower one means two. A loss right there
   * may hide it; then a number that is behind for the stream and ahead for its track corrects the choice.
   */
  #chooseMode(track: TrackNumbers, chunk: number): void {
    const isBehind = chunk <= this.#lastChunk
    if (this.#mode === 'open' && track.lastIndex < 0) this.#mode = isBehind ? 'apart' : 'shared'
    else if (this.#mode === 'shared' && isBehind && chunk > track.lastChunk) this.#mode = 'apart'
    else return
    if (this.#mode === 'apart') for (const each of this.#tracks) each.owed = 0
  }

  /** Packets of each track, by the number of the stop; null where it has none. */
  totals(stopSequence: number | null): readonly number[] | null {
    if (stopSequence === null || this.#startSequence === null) return null
    const totals = this.#tracks.map(({ lastIndex, owed }) => lastIndex + 1 + owed)
    const sent = stopSequence - this.#startSequence - 1 - this.#otherMessages
    const lost = sent - totals.reduce((a, b) => a + b, 0)
    if (lost < 0 || lost > holePacketsMax) return null
    const heard = this.#tracks.flatMap(({ lastIndex }, place) => (lastIndex < 0 ? [] : [place]))
    if (lost > 0 && heard.length > 1) this.#isInferred = true
    this.#shareAtEnd(totals, heard.length === 0 ? [0] : heard, lost)
    return totals
  }

  /** What was lost at the end goes to the track whose clock is behind, packet by packet. */
  #shareAtEnd(totals: number[], places: readonly number[], lost: number): void {
    const clocks = places.map((place) => {
      const { lastAtMs, durationMs } = this.#track(place)
      return lastAtMs === null ? (totals[place] as number) : lastAtMs / durationMs
    })
    for (let i = 0; i < lost; i++) {
      const behind = clocks.indexOf(Math.min(...clocks))
      const place = places[behind] as number
      clocks[behind] = (clocks[behind] as number) + 1
      totals[place] = (totals[place] as number) + 1
    }
  }

  #track(index: number): TrackNumbers {
    const track = this.#tracks[index]
    assert(track !== undefined, `track ${index} was added`)
    return track
  }

  /** A number that is missing, or stands still, is what the message's own number makes of it. Null for one that fell. */
  #chunkOf({ chunk, sequence }: PacketNumbers, track: TrackNumbers): number | null {
    const steps = sequence === null || this.#lastSequence === null ? null : sequence - this.#lastSequence
    const isStill =
      chunk !== null && chunk === track.lastSaid && (steps === null ? this.#rules.isOrdered : steps > 0)
    if (chunk !== null && !isStill) return chunk
    if (steps !== null && steps < 0 && this.#rules.isOrdered) return null
    const isOne = this.#mode !== 'apart' || this.#tracks.length === 1
    const last = isOne ? this.#lastChunk : Math.max(track.lastChunk, (track.base ?? this.#first ?? 1) - 1)
    return last + (isOne ? Math.max(steps ?? 1, 1) : 1)
  }

  /** The number of the stream's first packet: what came between the start and this one is known by their numbers. */
  #firstChunk({ sequence }: PacketNumbers, chunk: number): number {
    const least = Math.min(chunk, 1)
    if (sequence !== null && this.#startSequence !== null && this.#rules.isOrdered) {
      const lost = sequence - this.#startSequence - 1
      if (lost >= 0) return Math.max(chunk - lost, least)
    }
    return this.#rules.firstChunk === 'seen' || chunk > holePacketsMax ? chunk : least
  }

  #placeApart(track: TrackNumbers, chunk: number): number | null {
    track.base ??= Math.min(this.#first ?? chunk, chunk)
    const index = chunk - track.base
    if (index - track.lastIndex > holePacketsMax) return null
    if (this.#rules.isOrdered) return chunk < track.lastChunk ? null : index
    const place = chunk % track.seen.length
    const isFirstAgain = chunk === track.base && track.seen[place] === chunk && track.lastChunk > chunk
    if (index < 0 || isFirstAgain || chunk <= track.lastChunk - reorderedMax) return null
    track.seen[place] = chunk
    return index
  }

  #placeShared(packet: PacketNumbers, track: TrackNumbers, chunk: number): number | null {
    const lost = chunk - this.#lastChunk - 1
    if (lost === -1 && chunk === track.lastChunk) return track.lastIndex
    if (lost < 0 || lost > holePacketsMax) return null
    const index = track.lastIndex + 1 + track.owed + this.#shareOf(packet, track, lost)
    track.owed = 0
    return index
  }

  /** Of so many lost packets those of this track. The others are owed by the track that was heard of least lately. */
  #shareOf(packet: PacketNumbers, track: TrackNumbers, lost: number): number {
    if (lost === 0) return 0
    const others = this.#tracks.filter((each) => each !== track)
    const [first, ...more] = others
    if (first === undefined) return lost
    const isFirst = others.every((each) => each.lastIndex < 0)
    const mine = this.#shareByClock(packet, track, lost) ?? (isFirst ? lost : this.#shareByTurns(lost))
    const other = more.reduce((a, b) => ((b.lastAtMs ?? 0) < (a.lastAtMs ?? 0) ? b : a), first)
    other.owed += lost - mine
    this.#isInferred = true
    return mine
  }

  /** In the length of the packets before it: the last one of a stream may be shorter. */
  #shareByClock({ atMs }: PacketNumbers, track: TrackNumbers, lost: number): number | null {
    if (atMs === null || track.lastAtMs === null) return null
    const passed = Math.round((atMs - track.lastAtMs) / track.durationMs) - 1
    return Math.min(Math.max(passed - track.owed, 0), lost)
  }

  #shareByTurns(lost: number): number {
    const half = Math.floor(lost / 2)
    if (lost % 2 === 0) return half
    this.#isRemainderMine = !this.#isRemainderMine
    return this.#isRemainderMine ? half + 1 : half
  }
}
