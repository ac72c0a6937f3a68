/**
 * One gateway's socket: `voicestream.ingest.v1`. Streams of many calls on one connection, in binary blocks, and one number
 * that acknowledges everything: binary messages 1 … n are settled, which means on disk, there already, or refused as told.
 *
 * The gateway keeps what is not acknowledged and sends it again on its next connection, so nothing is lost by a restart or
 * a network that breaks: what comes twice is a duplicate. Nothing is told again here after a failed commit; the message is
 * tried again until it is settled, because an acknowledgement of a later one would cover it.
 */
import type { BlockFacts } from '../../actors/call-facts.js'
import type {
  CallMessage,
  CompletionAnswer,
  DescribeAnswer,
  PacketBlock,
} from '../../actors/call-messages.js'
import type { Clock, Millis } from '../../clock.js'
import type { VoiceStreamError } from '../../errors.js'
import { limits } from '../../limits.js'
import type { CallId } from '../../protocol/call-id.js'
import { isCallId } from '../../protocol/call-id.js'
import type { ReplyTo } from '../../store/journal.js'
import type { SkipReason } from '../dialect.js'
import type { HeldBytes } from '../early-events.js'
import { type CloseControl, type OpenControl, readControl } from './control.js'
import { ackMessage, type NativeBlock, readBlocks, WireError } from './wire.js'

export interface NativePorts {
  readonly clock: Clock
  readonly held: HeldBytes
  /** Changes when the store was replaced: what was acknowledged before may not be there. */
  readonly epoch: string
  tell(callId: CallId, message: CallMessage): void
  /** What a gateway has to know to go on with a track: null for an unknown call. */
  account(callId: CallId, track: number): Promise<TrackAccount | null>
  send(message: string | Uint8Array): void
  close(code: number, why: string): void
  counted(count: 'accepted' | 'duplicates' | 'rejected', packets: number): void
}

export interface TrackAccount {
  readonly missingCount: number
  readonly next: number
  readonly missing: readonly (readonly [number, number])[]
  readonly more: boolean
}

interface Stream {
  readonly callId: CallId
  readonly track: number
  readonly openedAt: Millis
}

/** A binary message that is not settled. */
class HeldMessage {
  readonly number: number
  readonly bytes: number
  waiting = 1

  constructor(number: number, bytes: number) {
    this.number = number
    this.bytes = bytes
  }
}

const codes = { protocol: 1002, policy: 1008, tooSlow: 1013, goingAway: 1001 } as const

export class NativeSession {
  readonly #ports: NativePorts
  readonly #streams = new Map<number, Stream>()
  /** In the order in which they came; settled in any. */
  readonly #messages: HeldMessage[] = []
  #count = 0
  #acknowledged = 0
  #unsettledBytes = 0
  #isAckDue = false
  #isToldSlow = false
  #isClosed = false

  constructor(ports: NativePorts) {
    this.#ports = ports
  }

  get unsettledBytes(): number {
    return this.#unsettledBytes
  }

  text(message: string): void {
    const control = readControl(message)
    if (control === null) return this.#close(codes.protocol, 'not a control message of voicestream.ingest.v1')
    switch (control.type) {
      case 'hello':
        return this.#tell({
          type: 'welcome',
          epoch: this.#ports.epoch,
          unsettled_bytes: limits.nativeUnsettledBytesMax,
          message_bytes: limits.nativeMessageBytesMax,
        })
      case 'open':
        return this.#open(control)
      case 'close':
        return this.#closeStream(control)
    }
  }

  // --- streams ----------------------------------------------------------------------------------------------------

  #open({ stream, call_id: callId, track = 0, start }: OpenControl): void {
    if (!isCallId(callId)) return this.#refuseStream(stream, 'invalid_call_id')
    if (this.#streams.size >= limits.nativeStreamsMax && !this.#streams.has(stream))
      return this.#refuseStream(stream, 'too_many_streams')
    const opened: Stream = { callId, track, openedAt: this.#ports.clock.now() }
    this.#streams.set(stream, opened)
    if (start === undefined) return this.#tellOpened(stream, opened)
    const replyTo: ReplyTo<DescribeAnswer> = {
      answered: ({ kind }) => {
        if (kind === 'described') this.#tellOpened(stream, opened)
        else this.#refuseStream(stream, kind === 'media-is-fixed' ? 'media_is_fixed' : 'grace_period_over')
      },
      failed: () => void this.#ports.clock.after(limits.legRetryMs, () => this.#again(() => describe())),
    }
    const describe = () => this.#ports.tell(callId, { type: 'describe', body: start, replyTo })
    describe()
  }

  #tellOpened(stream: number, { callId, track }: Stream): void {
    this.#ports.account(callId, track).then(
      (account) =>
        this.#tell({
          type: 'opened',
          stream,
          next: account?.next ?? 0,
          missing: account?.missing ?? [],
          more: account?.more ?? false,
        }),
      () => void this.#ports.clock.after(limits.legRetryMs, () => this.#again(() => this.#reopen(stream))),
    )
  }

  #reopen(stream: number): void {
    const opened = this.#streams.get(stream)
    if (opened !== undefined) this.#tellOpened(stream, opened)
  }

  #refuseStream(stream: number, code: string): void {
    this.#streams.delete(stream)
    this.#tell({ type: 'refused', stream, code })
  }

  /** Behind all that came before it, so that the count of what is missing is that of the whole stream. */
  #closeStream({ stream, total, completes = true }: CloseControl): void {
    const open = this.#streams.get(stream)
    if (open === undefined) return this.#refuseStream(stream, 'unknown_stream')
    this.#streams.delete(stream)
    const others = [...this.#streams.values()].some(({ callId }) => callId === open.callId)
    if (total === undefined || (!completes && others)) return this.#tellClosed(stream, open)
    const totals =
      open.track === 0
        ? undefined
        : Array.from({ length: open.track + 1 }, (_, track) => (track === open.track ? total : null))
    const replyTo: ReplyTo<CompletionAnswer> = {
      answered: (answer) =>
        answer === 'accepted'
          ? this.#tellClosed(stream, open)
          : this.#refuseStream(stream, answer.replace('-', '_')),
      failed: () => void this.#ports.clock.after(limits.legRetryMs, () => this.#again(() => complete())),
    }
    const complete = () =>
      this.#ports.tell(open.callId, {
        type: 'complete',
        totalPackets: open.track === 0 ? total : null,
        ...(totals === undefined ? {} : { totals }),
        replyTo,
      })
    complete()
  }

  #tellClosed(stream: number, { callId, track }: Stream): void {
    this.#ports.account(callId, track).then(
      (account) => this.#tell({ type: 'closed', stream, missing_count: account?.missingCount ?? 0 }),
      () =>
        void this.#ports.clock.after(limits.legRetryMs, () =>
          this.#again(() => this.#tellClosed(stream, { callId, track, openedAt: 0 })),
        ),
    )
  }

  #again(task: () => void): void {
    if (!this.#isClosed) task()
  }

  // --- data -------------------------------------------------------------------------------------------------------

  binary(message: Uint8Array): void {
    let blocks: readonly NativeBlock[]
    try {
      blocks = readBlocks(message)
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      return this.#close(codes.protocol, error.message)
    }
    const held = new HeldMessage(++this.#count, message.length)
    this.#messages.push(held)
    this.#unsettledBytes += message.length
    this.#ports.held.bytes += message.length
    // Its sender was told how much it may have under way.
    if (
      this.#unsettledBytes > 2 * limits.nativeUnsettledBytesMax ||
      this.#ports.held.bytes > limits.mediaUnsettledBytesMax
    )
      return this.#close(codes.tooSlow, 'too much is not acknowledged')
    this.#tellSlow()
    for (const block of blocks) {
      if (block.type === 'audio') this.#takeAudio(held, block)
      else this.#takeLost(held, block)
    }
    this.#settleOne(held)
  }

  /** Once, until there is room again: whoever sends fewer and larger messages is settled sooner. */
  #tellSlow(): void {
    if (this.#isToldSlow || this.#unsettledBytes <= limits.nativeUnsettledBytesMax) return
    this.#isToldSlow = true
    this.#tell({ type: 'slow', ms: limits.nativeSlowMs })
  }

  #takeAudio(held: HeldMessage, block: Extract<NativeBlock, { type: 'audio' }>): void {
    const stream = this.#streams.get(block.stream)
    if (stream === undefined) return this.#refuse(held, block.stream, 'unknown_stream', block.packets)
    const { callId, track, openedAt } = stream
    const { first, packets, atMs, data } = block
    held.waiting++
    const timestamp = (openedAt + atMs) / 1000
    const told: PacketBlock = { track, sequence: first, count: packets, data, isRaw: true, timestamp }
    const reply = new BlockReply(this, held, block.stream)
    this.#ports.tell(callId, { type: 'block', block: told, replyTo: reply })
  }

  /** Their numbers stay missing; the call says that their sender has given them up. */
  #takeLost(held: HeldMessage, block: Extract<NativeBlock, { type: 'lost' }>): void {
    const packets = block.last - block.first + 1
    const stream = this.#streams.get(block.stream)
    if (stream === undefined) return this.#refuse(held, block.stream, 'unknown_stream', packets)
    held.waiting++
    const { callId, track } = stream
    const replyTo: ReplyTo<boolean> = {
      answered: () => this.#settleOne(held),
      failed: (error) => this.failed(error),
    }
    const why: SkipReason = 'lost'
    this.#ports.tell(callId, { type: 'note', note: { kind: 'skipped', track, text: why, packets }, replyTo })
  }

  settled(held: HeldMessage, stream: number, { accepted, duplicates, count }: BlockFacts): void {
    if (accepted > 0) this.#ports.counted('accepted', accepted)
    if (duplicates > 0) this.#ports.counted('duplicates', duplicates)
    const rejected = count - accepted - duplicates
    if (rejected > 0) this.#refuse(held, stream, 'grace_period_over', rejected)
    this.#settleOne(held)
  }

  #refuse(held: HeldMessage, stream: number, code: string, packets: number): void {
    this.#ports.counted('rejected', packets)
    this.#tell({ type: 'refused', message: held.number, stream, code })
  }

  /** The data are gone with their turn: their sender has them, and sends them again on its next connection. */
  failed(_error: VoiceStreamError): void {
    this.#close(codes.tooSlow, 'a commit failed; connect again, and send what is not acknowledged')
  }

  #settleOne(held: HeldMessage): void {
    if (--held.waiting > 0) return
    if (this.#isAckDue || this.#messages[0]?.waiting !== 0) return
    this.#isAckDue = true
    // One for a commit, however many messages it has settled.
    queueMicrotask(() => this.#acknowledge())
  }

  #acknowledge(): void {
    this.#isAckDue = false
    while (this.#messages[0]?.waiting === 0) {
      const { number, bytes } = this.#messages.shift() as HeldMessage
      this.#acknowledged = number
      this.#unsettledBytes -= bytes
      this.#ports.held.bytes -= bytes
    }
    if (this.#unsettledBytes <= limits.nativeUnsettledBytesMax / 2) this.#isToldSlow = false
    if (!this.#isClosed) this.#ports.send(ackMessage(this.#acknowledged))
  }

  // --- its end ----------------------------------------------------------------------------------------------------

  #tell(message: object): void {
    if (!this.#isClosed) this.#ports.send(JSON.stringify(message))
  }

  #close(code: number, why: string): void {
    if (this.#isClosed) return
    this.closed()
    this.#ports.close(code, why)
  }

  /** The gateway connects again, and its calls go on. */
  goAway(): void {
    this.#close(codes.goingAway, 'the service is shutting down')
  }

  closed(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#ports.held.bytes -= this.#unsettledBytes
    this.#unsettledBytes = 0
    this.#messages.length = 0
  }
}

class BlockReply implements ReplyTo<BlockFacts> {
  readonly #session: NativeSession
  readonly #held: HeldMessage
  readonly #stream: number

  constructor(session: NativeSession, held: HeldMessage, stream: number) {
    this.#session = session
    this.#held = held
    this.#stream = stream
  }

  answered(facts: BlockFacts): void {
    this.#session.settled(this.#held, this.#stream, facts)
  }

  failed(error: VoiceStreamError): void {
    this.#session.failed(error)
  }
}
