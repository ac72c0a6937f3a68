/**
 * One socket of a platform: its dialect's events become legs of calls. It names the call, lets the leg in once somebody has
 * vouched for it, and closes when the platform breaks its own rules, says nothing, or has ended.
 */
import { hash } from 'node:crypto'
import type { CallMessage } from '../actors/call-messages.js'
import type { Clock, Millis } from '../clock.js'
import { limits } from '../limits.js'
import type { CallId } from '../protocol/call-id.js'
import type { LegEnd } from '../store/journal.js'
import { durationMsOf } from './codecs.js'
import type { Dialect, DialectKind, DialectRequest, MediaEvent } from './dialect.js'
import type { HeldBytes } from './early-events.js'
import { namedCall } from './media-call.js'
import { type LegPorts, MediaLeg } from './media-leg.js'

/** Functions that are passed on as they are: a packet goes through none of its own. */
export interface SessionPorts {
  readonly clock: Clock
  readonly held: HeldBytes
  tell(callId: CallId, message: CallMessage): void
  send(message: string | Uint8Array): void
  /** A WebSocket's code and reason; on TCP the connection ends. */
  close(code: number, why: string): void
  /** What a token that came with the stream lets in: streams of one call, or of any; null for a token that is not known. */
  admits(token: string): { readonly onlyCall: string | null } | null
  /** It had its 101, and may not be what it says. */
  refused(why: string): void
  counted: LegPorts['counted']
  settledAfter: LegPorts['settledAfter']
  /** Worth a line in the log: the platform's fault, or ours. */
  warn(why: string, callId: CallId | null): void
}

export interface SessionRequest extends DialectRequest {
  /** The upgrade has shown that its sender may. Otherwise the stream has to bring a token. */
  readonly isAdmitted: boolean
  /** The only call that it may be a stream of, as the platform names it; null for any. */
  readonly onlyCall: string | null
}

/** RFC 6455 §7.4.1. */
const codes = { ended: 1000, goingAway: 1001, policy: 1008, overload: 1013 } as const
const usualPacketMs = 20

export class MediaSession {
  readonly #ports: SessionPorts
  readonly #kind: Omit<DialectKind, 'create'>
  readonly #request: SessionRequest
  readonly #dialect: Dialect
  #begun: {
    readonly callId: CallId
    readonly event: Extract<MediaEvent, { type: 'start' }>
    readonly metadata: Readonly<Record<string, string>>
  } | null = null
  #legs: MediaLeg[] = []
  /** By the index of the dialect's track: the leg that has the voice, and its index there. */
  #voices: { readonly leg: MediaLeg; readonly index: number }[] = []
  /** Legs whose end is not on disk yet. */
  #open = 0
  #callId: CallId | null = null
  #cancelDeadline: () => void
  #isClosed = false

  constructor(ports: SessionPorts, kind: DialectKind, request: SessionRequest) {
    this.#ports = ports
    this.#kind = kind
    this.#request = request
    this.#dialect = kind.create(request)
    this.#cancelDeadline = ports.clock.after(limits.mediaStartMs, () =>
      this.#close(codes.policy, 'no start within 10 s'),
    )
  }

  /** Whether anything of it is still to be settled. */
  get isBusy(): boolean {
    return this.#open > 0
  }

  message(data: Uint8Array, isBinary: boolean): void {
    if (this.#isClosed) return
    this.#takeAll(this.#dialect.feed(data, isBinary))
  }

  /** The peer has gone; `isClean` where it has said so. */
  closed(isClean: boolean): void {
    if (this.#isClosed) return
    this.#takeAll(this.#dialect.closed(isClean))
    this.#ended()
    this.#stopLegs(isClean ? 'closed' : 'lost', null)
  }

  /** The service stops: the call goes on with another leg. */
  goAway(): void {
    // Who asks first is told that we are busy, and goes by itself.
    if (this.#kind.asksFirst === true && this.#callId === null) return
    this.#close(codes.goingAway, 'the service is shutting down')
  }

  /** The platform says by another way that this stream has ended. What is on its way is still taken; true for a stream of its own. */
  endsSoon(stream: string): boolean {
    if (this.#isClosed || this.#begun?.event.leg !== stream) return false
    this.#cancelDeadline()
    this.#cancelDeadline = this.#ports.clock.after(limits.mediaCloseMs, () => {
      this.#stopLegs('stopped', null)
      this.#close(codes.ended, 'the stream has ended')
    })
    return true
  }

  #takeAll(events: readonly MediaEvent[]): void {
    for (const event of events) this.#take(event)
  }

  #take(event: MediaEvent): void {
    switch (event.type) {
      case 'start':
        return this.#start(event)
      case 'stop':
        return this.#stop(event)
      case 'reply':
        return this.#isClosed ? undefined : this.#ports.send(event.message)
      case 'refuse':
        return this.#close(event.closeCode, event.why)
      case 'warning':
        return this.#ports.warn(event.why, this.#callId)
      case 'track':
        return this.#addLeg([event.track])
      default:
        this.#pass(event)
    }
  }

  #start(event: Extract<MediaEvent, { type: 'start' }>): void {
    const { isAdmitted, query, segment, newId } = this.#request
    this.#cancelDeadline()
    const brought = event.token === null ? null : this.#ports.admits(event.token)
    if (!isAdmitted && brought === null) return this.#refuse('the stream brings no token that is known')
    if (event.isProbe) return
    const allowed = [this.#request.onlyCall, brought?.onlyCall ?? null].filter((call) => call !== null)
    const named = namedCall([event.call, query.get('call_id'), segment, ...allowed], newId)
    const { callId, original, isMade } = named
    if (allowed.some((call) => namedCall([call], newId).callId !== callId))
      return this.#refuse('the stream is of another call than its token')
    if (isMade) this.#ports.warn('nobody has named the call of a stream: the name is made up', callId)
    // A second start on the same socket is another stream: the first one has ended.
    this.#stopLegs('stopped', null)
    this.#callId = callId
    const metadata =
      original === null ? {} : { platform_call_id: original.slice(0, limits.metadataCharactersMax) }
    this.#begun = { callId, event, metadata }
    this.#addLeg(event.tracks)
  }

  /** A voice that the start has not announced is a leg beside it, because the others have their tracks already. */
  #addLeg(tracks: Extract<MediaEvent, { type: 'start' }>['tracks']): void {
    if (this.#begun === null) return
    const { callId, event, metadata } = this.#begun
    const { clock, held, tell, counted, settledAfter } = this.#ports
    const leg = new MediaLeg(
      {
        clock,
        held,
        tell,
        counted,
        settledAfter,
        refused: (why) => this.#refused(why),
        ended: () => {
          this.#open--
        },
      },
      {
        callId,
        leg: legName(this.#kind.name, event.leg, this.#request.newId),
        dialect: this.#kind.name,
        event: { ...event, tracks },
        packetMs: this.#packetMsOf(event),
        metadata,
        unsettledBytesMax: Math.max(limits.legUnsettledBytesMax, 2 * this.#kind.messageBytesMax),
      },
    )
    this.#open++
    this.#legs.push(leg)
    for (const index of tracks.keys()) this.#voices.push({ leg, index })
  }

  /** For how many packets a silence between two legs stands. */
  #packetMsOf({ packetBytes, tracks: [first] }: Extract<MediaEvent, { type: 'start' }>): Millis {
    const cut = packetBytes === null || first === undefined ? null : durationMsOf(first.media, packetBytes)
    return cut ?? this.#kind.packetMs ?? usualPacketMs
  }

  /** What comes of a voice goes to the leg that has it; what is of the stream goes to the first one. */
  #pass(event: MediaEvent): void {
    const track = 'track' in event && typeof event.track === 'number' ? event.track : null
    if (track === null) return this.#legs[0]?.take(event)
    const voice = this.#voices[track]
    // A copy of each packet's event would cost as much as the rest of its way through here.
    voice?.leg.take(voice.index === track ? event : ({ ...event, track: voice.index } as MediaEvent))
  }

  #stopLegs(why: LegEnd, totals: readonly (number | null)[] | null): void {
    for (const leg of this.#legs) {
      const own = this.#voices.flatMap((voice, track) => (voice.leg === leg ? [totals?.[track] ?? null] : []))
      leg.stop(why, totals === null ? null : own)
    }
    this.#legs = []
    this.#voices = []
    this.#begun = null
  }

  /** Somebody else's stream: nothing of it is kept. */
  #refuse(why: string): void {
    this.#ports.refused(why)
    this.#close(codes.policy, why)
  }

  #refused(why: string): void {
    this.#ports.warn(`the call takes no more of the stream: ${why}`, this.#callId)
    this.#close(codes.policy, why)
  }

  #stop({ why, totals }: Extract<MediaEvent, { type: 'stop' }>): void {
    this.#stopLegs(why, totals)
    // The platform closes, or begins another stream; who does neither is closed.
    this.#cancelDeadline()
    this.#cancelDeadline = this.#ports.clock.after(limits.mediaCloseMs, () =>
      this.#close(codes.ended, 'the stream has ended'),
    )
  }

  #close(code: number, why: string): void {
    if (this.#isClosed) return
    this.#ended()
    this.#stopLegs('closed', null)
    this.#ports.close(code, why)
  }

  #ended(): void {
    this.#isClosed = true
    this.#cancelDeadline()
  }
}

/** Of its own within the call, also where a platform sends one twice. */
function legName(dialect: string, platformId: string | null, newId: () => string): string {
  const own = platformId === null ? newId() : `${platformId.slice(0, 64)}-${newId().slice(0, 8)}`
  return /^[A-Za-z0-9._:-]+$/.test(own) ? own : `${dialect}-${hash('sha256', own, 'base64url').slice(0, 16)}`
}
