/** What Asterisk tells over its ARI socket, as far as the tap looks at it. Everything is somebody else's, so nothing is taken for granted. */
import { limits } from '../../limits.js'
import { isObject, type JsonObject, objectAt, parseJson, textAt, wholeNumberAt } from '../json-text.js'

export interface AriChannel {
  readonly id: string
  /** `PJSIP/caller-00000000`. */
  readonly name: string
  readonly caller: AriParty
  readonly connected: AriParty
  readonly context: string
  readonly extension: string
  /** The application of the dialplan that it is in: `Dial` calls, `AppDial` is called. */
  readonly application: string
}

export interface AriParty {
  readonly name: string
  readonly number: string
}

export type AriMessage =
  | { readonly type: 'answer'; readonly requestId: string; readonly status: number; readonly body: unknown }
  | {
      readonly type: 'entered'
      readonly channel: AriChannel
      readonly bridgeId: string
      readonly channels: readonly string[]
    }
  | { readonly type: 'left' | 'started'; readonly channel: AriChannel }
  | {
      readonly type: 'destroyed'
      readonly channel: AriChannel
      readonly cause: number
      readonly causeText: string
    }
  | { readonly type: 'dialled'; readonly callerId: string | null; readonly peerId: string }
  | { readonly type: 'transferred'; readonly channelId: string; readonly text: string }
  | { readonly type: 'digit' | 'held' | 'unheld'; readonly channel: AriChannel }
  | { readonly type: 'other' }

const other = { type: 'other' } as const

/** Null for what is no message of ARI. */
export function readAri(text: string): AriMessage | null {
  const message = parseJson(text)
  if (!isObject(message)) return null
  const type = textAt(message, 'type')
  if (type === null) return null
  if (type === 'RESTResponse') return answerOf(message)
  const channel = channelOf(message['channel'])
  if (type === 'Dial') {
    const peer = channelOf(message['peer'])
    return peer === null
      ? other
      : { type: 'dialled', callerId: channelOf(message['caller'])?.id ?? null, peerId: peer.id }
  }
  if (type === 'BridgeBlindTransfer' || type === 'BridgeAttendedTransfer') return transferOf(type, message)
  if (channel === null) return other
  switch (type) {
    case 'ChannelEnteredBridge': {
      const bridge = objectAt(message, 'bridge')
      const id = textAt(bridge, 'id')
      return id === null
        ? other
        : { type: 'entered', channel, bridgeId: id, channels: textsOf(bridge['channels']) }
    }
    case 'ChannelLeftBridge':
      return { type: 'left', channel }
    case 'StasisStart':
      return { type: 'started', channel }
    case 'ChannelDestroyed':
      return {
        type: 'destroyed',
        channel,
        cause: wholeNumberAt(message, 'cause') ?? 0,
        causeText: textAt(message, 'cause_txt') ?? '',
      }
    case 'ChannelDtmfReceived':
      return { type: 'digit', channel }
    case 'ChannelHold':
      return { type: 'held', channel }
    case 'ChannelUnhold':
      return { type: 'unheld', channel }
    default:
      return other
  }
}

/** Who transfers, and whereto: of a blind one the extension, of an attended one nothing is said. */
function transferOf(type: 'BridgeBlindTransfer' | 'BridgeAttendedTransfer', message: JsonObject): AriMessage {
  const isBlind = type === 'BridgeBlindTransfer'
  const by = channelOf(message[isBlind ? 'channel' : 'transferer_first_leg'])
  if (by === null || textAt(message, 'result') !== 'Success') return other
  const text = isBlind ? `blind transfer to ${textAt(message, 'exten') ?? ''}` : 'attended transfer'
  return { type: 'transferred', channelId: by.id, text: text.trim().slice(0, limits.detailCharactersMax) }
}

function answerOf(message: JsonObject): AriMessage {
  const requestId = textAt(message, 'request_id')
  if (requestId === null) return other
  const body = textAt(message, 'message_body')
  return {
    type: 'answer',
    requestId,
    status: wholeNumberAt(message, 'status_code') ?? 0,
    body: body === null ? null : parseJson(body),
  }
}

export function channelOf(value: unknown): AriChannel | null {
  if (!isObject(value)) return null
  const id = textAt(value, 'id')
  if (id === null) return null
  const dialplan = objectAt(value, 'dialplan')
  return {
    id,
    name: textAt(value, 'name') ?? '',
    caller: partyOf(objectAt(value, 'caller')),
    connected: partyOf(objectAt(value, 'connected')),
    context: textAt(dialplan, 'context') ?? '',
    extension: textAt(dialplan, 'exten') ?? '',
    application: textAt(dialplan, 'app_name') ?? '',
  }
}

function partyOf(party: JsonObject): AriParty {
  return { name: textAt(party, 'name') ?? '', number: textAt(party, 'number') ?? '' }
}

export function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : []
}
