/**
 * What the contract says of a packet's text, by the shortest way: a naive reading of the object, and the rules one by
 * one. It shares no code with the decoder that it judges.
 */
import { isCallIdText } from '../support/call-id-texts.js'
import { type NaiveRefusal, naiveObject } from './naive-json.js'

export interface NaivePacket {
  readonly callId: string | null
  readonly sequence: number
  readonly data: string
  readonly timestamp: number
}

export type NaiveDecoding = NaivePacket | NaiveRefusal

const loneSurrogate = /[\ud800-\udfff]/u

export function naiveDecode(bytes: Uint8Array, hasCallId: boolean): NaiveDecoding {
  const object = naiveObject(bytes)
  if (typeof object === 'string') return object
  const { values, texts } = object
  const { sequence, data, timestamp, call_id: callId } = values
  if (typeof sequence !== 'number' || !/^(0|[1-9][0-9]*)$/.test(texts.get('sequence') ?? ''))
    return 'schema_violation'
  if (sequence > 2_147_483_647) return 'schema_violation'
  if (typeof timestamp !== 'number' || !(timestamp > 0) || timestamp === Number.POSITIVE_INFINITY)
    return 'schema_violation'
  if (typeof data !== 'string' || data === '' || data.includes('\0') || loneSurrogate.test(data))
    return 'schema_violation'
  if (Buffer.byteLength(data) > 32_768) return 'schema_violation'
  if (!hasCallId) return { callId: null, sequence, data, timestamp }
  if (typeof callId !== 'string' || !isCallIdText(callId)) return 'schema_violation'
  return { callId, sequence, data, timestamp }
}
