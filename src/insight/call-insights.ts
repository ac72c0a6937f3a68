/**
 * Listening to calls, the main thread's half. Owns the ring, the thread, and which calls and tracks it listens to.
 *
 * The write path meets it in two places: a packet that is appended is copied into the ring, and once it is committed its place
 * is noted. Both cost the same whatever the thread does. Where there is no room, packets are left out, and the call
 * says so. When the thread dies, nobody is listened to for a minute, and then all calls begin anew.
 */
import { Worker } from 'node:worker_threads'
import type { AudioFormat } from '../audio/audio-format.js'
import { isAudioEncoding } from '../audio/audio-format.js'
import type { Clock, Millis } from '../clock.js'
import { limits } from '../limits.js'
import type { AlertKind } from '../protocol/alert.js'
import type { CallId } from '../protocol/call-id.js'
import { type CallDetails, type Media, mediaOf } from '../protocol/media.js'
import type { InsightFacts } from './call-insight.js'
import type { AlertNews, FromInsight, InsightData, ToInsight, TrackOpening } from './insight-messages.js'
import { newRingMemory, RingWriter } from './packet-ring.js'
import type { TalkTerms } from './talk-rules.js'

/** As the call remembers it. */
export interface HeardAlert {
  readonly alert_id: string
  readonly kind: AlertKind
  readonly channel: number | null
  readonly toMs: number | null
}

/** Of a call that a packet has come to. */
export interface HeardLife {
  readonly callId: CallId
  readonly createdAt: Millis
  readonly details: CallDetails
  readonly alerts: readonly HeardAlert[]
}

/** Packets of equal length whose numbers follow each other, as they are appended. */
export interface HeardPackets {
  readonly track?: number
  readonly sequence: number
  readonly count?: number
  readonly data: Uint8Array
  readonly isRaw?: boolean
  readonly receivedAt: Millis
}

export interface InsightPorts {
  readonly clock: Clock
  readonly terms: TalkTerms
  readonly channelsMax: number
  /** Of the call that was created then. */
  news(life: Pick<HeardLife, 'callId' | 'createdAt'>, news: AlertNews): void
  died(error: Error): void
}

interface HeardCall {
  readonly number: number
  readonly callId: CallId
  readonly createdAt: Millis
  details: CallDetails
  readonly tracks: (ListenedTrack | undefined)[]
  isSkipped: boolean
}

interface ListenedTrack {
  /** Null where it is no audio. */
  readonly media: Media | null
  /** The packets before the next one were left out. */
  isSkipping: boolean
}

export class CallInsights {
  readonly #ports: InsightPorts
  readonly #calls = new Map<CallId, HeardCall>()
  readonly #byNumber = new Map<number, HeardCall>()
  readonly #asked = new Map<number, (facts: InsightFacts | null) => void>()
  #ring: RingWriter | null = null
  #thread: Worker | null = null
  #numbers = 0
  #asks = 0
  #channels = 0
  #skippedPackets = 0
  #deaths = 0
  #isToBeShown = false
  #calledAt = 0
  /** It has died a moment ago, or the service stops. */
  #isResting = false
  #cancelRest = () => {}

  constructor(ports: InsightPorts) {
    this.#ports = ports
  }

  get channels(): number {
    return this.#channels
  }

  /** Packets of audio that were not looked at. */
  get skippedPackets(): number {
    return this.#skippedPackets
  }

  get deaths(): number {
    return this.#deaths
  }

  /** With the first packet of audio: a service without any has no thread for it. */
  #start(): RingWriter {
    const memory = newRingMemory(limits.insightRingBytes)
    const workerData: InsightData = { memory, terms: this.#ports.terms }
    const thread = new Worker(new URL('./insight-thread.js', import.meta.url), { workerData })
    thread.unref()
    thread.on('message', (message: FromInsight) => this.#told(message))
    thread.on('error', (error) => this.#died(thread, error))
    thread.on('exit', (code) => this.#died(thread, new Error(`it ended with ${code}`)))
    this.#thread = thread
    this.#ring = new RingWriter(memory)
    return this.#ring
  }

  async stop(): Promise<void> {
    this.#isResting = true
    this.#cancelRest()
    const thread = this.#thread
    this.#forgetAll()
    await thread?.terminate()
  }

  // --- the write path ---------------------------------------------------------------------------------------------

  /** Appended, not committed. Its place in the ring; 0 where it is not listened to. */
  append(life: HeardLife, packets: HeardPackets): number {
    const { track: number = 0, sequence, count = 1, data, isRaw = false, receivedAt } = packets
    if (this.#isResting) return 0
    const call = this.#callOf(life, number)
    if (call === null) return 0
    if (call.details !== life.details) this.#describe(call, life.details)
    const ring = this.#ring ?? this.#start()
    const track = call.tracks[number] ?? this.#open(ring, call, number, life)
    if (track.media === null) return 0
    const place = ring.append({
      kind: 'packets',
      call: call.number,
      track: number,
      sequence,
      count,
      isRaw,
      isAfterSkipped: track.isSkipping,
      at: receivedAt,
      data,
    })
    track.isSkipping = place === 0
    if (place === 0) this.#skip(call, count)
    return place
  }

  committed(place: number): void {
    if (this.#ring === null) return
    this.#ring.commit(place)
    if (this.#isToBeShown) return
    this.#isToBeShown = true
    setTimeout(() => this.#show(), limits.insightShowMs)
  }

  /** Everything that is appended and not committed never will be: all calls begin anew. */
  commitFailed(): void {
    if (this.#ring === null) return
    this.#ring.cutOff()
    this.#tell({ type: 'forget-all' })
    this.#clear()
  }

  /** The thread is called once, and ended where it does not come for too long: one that hangs is as good as dead. */
  #show(): void {
    this.#isToBeShown = false
    if (this.#ring === null) return
    const now = performance.now()
    if (this.#ring.show()) {
      this.#calledAt = now
      this.#tell({ type: 'more' })
    } else if (now - this.#calledAt > limits.insightHangMs) void this.#thread?.terminate()
  }

  #skip(call: HeardCall, packets: number): void {
    call.isSkipped = true
    this.#skippedPackets += packets
  }

  // --- calls and tracks -------------------------------------------------------------------------------------------

  /** Null where the track is no audio, and nothing was before. */
  #callOf(life: HeardLife, track: number): HeardCall | null {
    const call = this.#calls.get(life.callId)
    if (call !== undefined && call.createdAt === life.createdAt) return call
    // Its name is another call's now.
    if (call !== undefined) this.end(life.callId)
    return isAudioEncoding(mediaOf(life.details, track).encoding) ? this.#begin(life) : null
  }

  #begin({ callId, createdAt, details }: HeardLife): HeardCall {
    const number = ++this.#numbers
    const call = { number, callId, createdAt, details, tracks: [], isSkipped: false }
    this.#calls.set(callId, call)
    this.#byNumber.set(number, call)
    return call
  }

  /** What was said of its media may have changed while it had no packets. */
  #describe(call: HeardCall, details: CallDetails): void {
    call.details = details
    for (let track = 0; track < call.tracks.length; track++) {
      const media = call.tracks[track]?.media ?? null
      if (media === null || !isSameSound(media, mediaOf(details, track))) this.#drop(call, track)
    }
  }

  #open(ring: RingWriter, call: HeardCall, number: number, life: HeardLife): ListenedTrack {
    const media = mediaOf(call.details, number)
    const isListenedTo =
      isAudioEncoding(media.encoding) && this.#channels + media.channels <= this.#ports.channelsMax
    const track = {
      media: isListenedTo && this.#tellOpen(ring, call, number, media, life) ? media : null,
      isSkipping: false,
    }
    if (track.media !== null) this.#channels += media.channels
    else if (isAudioEncoding(media.encoding)) call.isSkipped = true
    call.tracks[number] = track
    return track
  }

  #tellOpen(ring: RingWriter, call: HeardCall, track: number, media: Media, life: HeardLife): boolean {
    const opening: TrackOpening = {
      media: formatOf(media),
      channel: firstChannel(call.details, track),
      known: life.alerts.map(({ alert_id, kind, channel, toMs }) => ({
        alert_id,
        kind,
        channel,
        isOpen: toMs === null,
      })),
    }
    const data = Buffer.from(JSON.stringify(opening))
    const record = { sequence: 0, count: 0, isRaw: true, isAfterSkipped: false, at: 0, data }
    return ring.append({ kind: 'track', call: call.number, track, ...record }) !== 0
  }

  #drop(call: HeardCall, track: number): void {
    this.#channels -= call.tracks[track]?.media?.channels ?? 0
    call.tracks[track] = undefined
  }

  /** Nothing more comes of the tracks that are not among these: their media streams have ended. */
  keepTracks(callId: CallId, open: ReadonlySet<number>): void {
    const call = this.#calls.get(callId)
    if (call === undefined) return
    for (let track = 0; track < call.tracks.length; track++) {
      if (call.tracks[track] === undefined || open.has(track)) continue
      this.#drop(call, track)
      this.#tell({ type: 'close-track', call: call.number, track })
    }
  }

  /** The call is over, or erased. */
  end(callId: CallId): void {
    const call = this.#calls.get(callId)
    if (call === undefined) return
    for (let track = 0; track < call.tracks.length; track++) this.#drop(call, track)
    this.#calls.delete(callId)
    this.#byNumber.delete(call.number)
    this.#tell({ type: 'end', call: call.number })
  }

  // --- what is heard ----------------------------------------------------------------------------------------------

  isSkipped(callId: CallId): boolean {
    return this.#calls.get(callId)?.isSkipped === true
  }

  /** Null where nobody listens, or the thread has too much to do to answer soon. */
  facts(callId: CallId): Promise<InsightFacts | null> {
    const call = this.#calls.get(callId)
    const isListenedTo = call?.tracks.some((track) => track?.media != null) === true
    if (!isListenedTo || this.#asked.size >= limits.insightAsksMax) return Promise.resolve(null)
    const ask = ++this.#asks
    return new Promise((resolve) => {
      const cancel = this.#ports.clock.after(limits.insightAnswerMs, () => this.#answer(ask, null))
      this.#asked.set(ask, (facts) => {
        cancel()
        resolve(facts)
      })
      // The question calls the thread, too.
      if (this.#ring?.show() === true) this.#calledAt = performance.now()
      this.#tell({ type: 'facts', call: call.number, ask })
    })
  }

  #answer(ask: number, facts: InsightFacts | null): void {
    const answered = this.#asked.get(ask)
    this.#asked.delete(ask)
    answered?.(facts)
  }

  #told(message: FromInsight): void {
    if (message.type === 'facts') return this.#answer(message.ask, message.facts)
    for (const news of message.news) {
      const call = this.#byNumber.get(news.call)
      if (call !== undefined) this.#ports.news(call, news)
    }
  }

  #tell(message: ToInsight): void {
    this.#thread?.postMessage(message)
  }

  // --- the thread's death -----------------------------------------------------------------------------------------

  #died(thread: Worker, error: Error): void {
    if (this.#thread !== thread) return
    this.#deaths++
    this.#forgetAll()
    this.#ports.died(error)
    this.#isResting = true
    this.#cancelRest = this.#ports.clock.after(limits.insightRestMs, () => {
      this.#isResting = false
    })
  }

  #forgetAll(): void {
    this.#thread = null
    this.#ring = null
    this.#clear()
    for (const ask of [...this.#asked.keys()]) this.#answer(ask, null)
  }

  #clear(): void {
    this.#calls.clear()
    this.#byNumber.clear()
    this.#channels = 0
  }
}

function formatOf({ encoding, sample_rate: sampleRate, channels }: Media): AudioFormat {
  return { encoding: encoding as AudioFormat['encoding'], sampleRate, channels }
}

function isSameSound(a: Media, b: Media): boolean {
  return a.encoding === b.encoding && a.sample_rate === b.sample_rate && a.channels === b.channels
}

/** As in the call's audio: the channels of the tracks before it come first. */
function firstChannel(details: CallDetails, track: number): number {
  let channel = 0
  for (let before = 0; before < track; before++) channel += mediaOf(details, before).channels
  return channel
}
