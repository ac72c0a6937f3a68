/** The messages of a call, and the answer to a message without a call. */
import type { Millis } from '../clock.js'
import { unreachable, VoiceStreamError } from '../errors.js'
import type { CallState, ExpectedTotals } from '../protocol/call.js'
import type { CallId } from '../protocol/call-id.js'
import type { Packet } from '../protocol/decode.js'
import type { CallDetails, Media, StartBody, Track } from '../protocol/media.js'
import type { LegEnd, LifecycleEntry, Note, ReplyTo } from '../store/journal.js'
import type { BlockFacts, ReceiptFacts } from './call-facts.js'
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

/** Packets of equal length whose numbers follow each other, as media streams bring them: appended and settled together. */
export interface PacketBlock {
  readonly track: number
  /** The first one's. */
  readonly sequence: number
  readonly count: number
  /** One behind the other. A view: valid in this turn of the loop only. */
  readonly data: Uint8Array
  /** Bytes of a codec, and not their base64. */
  readonly isRaw: boolean
  /** Seconds, the sender's clock. */
  readonly timestamp: number
}

/** Those that are there already are duplicates, and are not compared with what is stored. */
export interface BlockMessage {
  readonly type: 'block'
  readonly block: PacketBlock
  readonly replyTo: ReplyTo<BlockFacts>
}

/** A packet for a stored number was compared with what is stored, because the call's grace period is over. */
export interface ComparedMessage {
  readonly type: 'compared'
  /** Of the call that it came to: by now the name may be another one's. */
  readonly createdAt: Millis
  readonly packet: Pick<Packet, 'track' | 'sequence'>
  readonly isSame: boolean
  readonly replyTo: ReplyTo<ReceiptFacts>
}

/** Looks at the state in a turn of its own; told once everything that it shows is durable. */
export interface ReadMessage {
  readonly type: 'read'
  readonly replyTo: ReplyTo<void>
  readonly look: (state: CallMachineSnapshot) => void
}

/** A message that may change more than the receive log. */
export type LifecycleMessage =
  | (ExpectedTotals & {
      readonly type: 'complete'
      readonly replyTo: ReplyTo<CompletionAnswer>
    })
  /** A media stream begins; makes the call where there is none. */
  | { readonly type: 'leg'; readonly request: LegRequest; readonly replyTo: ReplyTo<LegAnswer> }
  /** It has ended; the answer says whether the call knew of it. */
  | {
      readonly type: 'leg-end'
      readonly leg: string
      readonly why: LegEnd
      readonly totals: readonly (number | null)[] | null
      readonly replyTo: ReplyTo<boolean>
    }
  /** The answer says whether it was kept. */
  | { readonly type: 'note'; readonly note: Note; readonly replyTo: ReplyTo<boolean> }
  /** A supervisor has taken care of an alert. */
  | {
      readonly type: 'acknowledge'
      readonly alertId: string
      readonly by: string | null
      readonly note: string | null
      readonly replyTo: ReplyTo<AcknowledgeAnswer>
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

export type CallMessage = PacketMessage | BlockMessage | ComparedMessage | ReadMessage | LifecycleMessage

/** `not-empty`: a total of 0 for a call that was not started, or has packets, or has ended otherwise. */
export type CompletionAnswer = 'accepted' | 'conflict' | 'not-empty' | 'unknown-call'

export interface LegRequest {
  /** Names the stream within the call. */
  readonly leg: string
  readonly dialect: string
  readonly voices: readonly Omit<Track, 'track'>[]
  /** Of a packet: how many numbers a pause between two legs is. */
  readonly packetMs: Millis
  readonly details: Omit<CallDetails, 'media' | 'tracks'>
}

export type LegAnswer =
  | {
      readonly kind: 'started'
      readonly createdAt: Millis
      /** Of each voice: its track, and the number of its first packet there. */
      readonly tracks: readonly { readonly track: number; readonly base: number }[]
    }
  | { readonly kind: 'grace-period-over' | 'too-many-legs' | 'too-many-tracks' }

export type AcknowledgeAnswer = 'acknowledged' | 'unknown-alert' | 'unknown-call'

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
  if (message.type === 'block') {
    const { type, block, replyTo } = message
    return { type, block: { ...block, data: Uint8Array.from(block.data) }, replyTo }
  }
  if (message.type !== 'packet') return message
  return { ...message, packet: { ...message.packet, data: Uint8Array.from(message.packet.data) } }
}

/** Makes the call where there is none. */
export function begins({ type }: CallMessage): boolean {
  return type === 'packet' || type === 'block' || type === 'describe' || type === 'leg'
}

/** Answers a message to a call that there is not. */
export function findNothing(message: CallMessage): void {
  switch (message.type) {
    case 'complete':
      return message.replyTo.answered('unknown-call')
    case 'acknowledge':
      return message.replyTo.answered('unknown-call')
    case 'redrive':
      return message.replyTo.answered({ kind: 'unknown-call' })
    case 'record':
    case 'leg-end':
    case 'note':
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
    case 'block':
    case 'describe':
    case 'leg':
      throw new Error(`a ${message.type} makes its call`)
    default:
      return unreachable(message)
  }
}

export function erasedMeanwhile(): VoiceStreamError {
  return new VoiceStreamError('read_failed', 'the call was erased during the comparison')
}
