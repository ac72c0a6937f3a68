/** The messages of a call, and the answer to a message without a call. */
import type { Millis } from '../clock.js'
import { unreachable, VoiceStreamError } from '../errors.js'
import type { CallState } from '../protocol/call.js'
import type { CallId } from '../protocol/call-id.js'
import type { Packet } from '../protocol/decode.js'
import type { Media, StartBody } from '../protocol/media.js'
import type { LifecycleEntry, ReplyTo } from '../store/journal.js'
import type { ReceiptFacts } from './call-facts.js'
import type { CallMachineSnapshot } from './call-machine.js'

/** One call, and no other one that comes to its name once it is erased. */
export interface CallLife {
  readonly callId: CallId
  readonly createdAt: Millis
}

export interface PacketMessage {
  readonly type: 'packet'
  readonly packet: Packet
  readonly replyTo: ReplyTo<ReceiptFacts>
}

/** A packet for a stored number was compared with what is stored, because the call's grace period is over. */
export interface ComparedMessage {
  readonly type: 'compared'
  /** Of the call that it came to: by now the name may be another one's. */
  readonly createdAt: Millis
  readonly sequence: number
  readonly isSame: boolean
  readonly replyTo: ReplyTo<ReceiptFacts>
}

/** Looks at the state in a turn of its own; told once everything that it shows is durable. */
export interface ReadMessage {
  readonly type: 'read'
  readonly replyTo: ReplyTo<void>
  readonly look: (state: CallMachineSnapshot) => void
}

/** What may change more than the receive log. */
export type LifecycleMessage =
  | {
      readonly type: 'complete'
      readonly totalPackets: number
      readonly replyTo: ReplyTo<CompletionAnswer>
    }
  /** The PBX says what the call is; makes the call where there is none. */
  | { readonly type: 'describe'; readonly body: StartBody; readonly replyTo: ReplyTo<DescribeAnswer> }
  /** An administrator has the analysis of a FAILED call made again. */
  | { readonly type: 'redrive'; readonly replyTo: ReplyTo<RedriveAnswer> }
  /** A journaled deadline has come. `failed` when it could not be met: it is delivered again. */
  | { readonly type: 'deadline'; readonly replyTo: ReplyTo<void> }
  /** The analysis of the call that was created then reports; the answer says whether its state admitted it. */
  | {
      readonly type: 'record'
      readonly createdAt: Millis
      readonly entry: LifecycleEntry
      readonly replyTo: ReplyTo<boolean>
    }
  | { readonly type: 'passivate'; readonly replyTo: ReplyTo<void> }
  /** Takes the call out of the journal; with `endedThrough` only when it has ended by then. */
  | {
      readonly type: 'erase'
      readonly endedThrough: Millis | null
      readonly replyTo: ReplyTo<ErasureAnswer>
    }

export type CallMessage = PacketMessage | ComparedMessage | ReadMessage | LifecycleMessage

/** `not-empty`: a total of 0 for a call that was not started, or has packets, or has ended otherwise. */
export type CompletionAnswer = 'accepted' | 'conflict' | 'not-empty' | 'unknown-call'

export type ErasureAnswer = 'erased' | 'kept' | 'unknown-call'

export type DescribeAnswer =
  | { readonly kind: 'described'; readonly media: Media }
  /** Packets of other media are stored. */
  | { readonly kind: 'media-is-fixed'; readonly media: Media }
  | { readonly kind: 'grace-period-over'; readonly state: CallState }

export type RedriveAnswer =
  | { readonly kind: 'redriven' | 'under-way'; readonly redrives: number }
  | { readonly kind: 'not-failed'; readonly state: CallState }
  | { readonly kind: 'unknown-call' }

/** To be kept for later: a packet's data is a view of a request body that is gone after this turn. */
export function detached(message: CallMessage): CallMessage {
  if (message.type !== 'packet') return message
  return { ...message, packet: { ...message.packet, data: Uint8Array.from(message.packet.data) } }
}

/** Makes the call where there is none. */
export function begins({ type }: CallMessage): boolean {
  return type === 'packet' || type === 'describe'
}

/** Answers a message to a call that there is not. */
export function findNothing(message: CallMessage): void {
  switch (message.type) {
    case 'complete':
      return message.replyTo.answered('unknown-call')
    case 'redrive':
      return message.replyTo.answered({ kind: 'unknown-call' })
    case 'record':
      return message.replyTo.answered(false)
    case 'erase':
      return message.replyTo.answered('unknown-call')
    case 'compared':
      return message.replyTo.failed(erasedMeanwhile())
    case 'read':
    case 'deadline':
    case 'passivate':
      return message.replyTo.answered()
    case 'packet':
    case 'describe':
      throw new Error(`a ${message.type} makes its call`)
    default:
      return unreachable(message)
  }
}

export function erasedMeanwhile(): VoiceStreamError {
  return new VoiceStreamError('read_failed', 'the call was erased during the comparison')
}
