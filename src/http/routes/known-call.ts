/** A call that is not known, for all who ask for one. */
import { VoiceStreamError } from '../../errors.js'
import type { CallId } from '../../protocol/call-id.js'

export const callNotFound = { 404: { description: 'Unknown call.' } } as const

export function unknownCall(callId: CallId): VoiceStreamError {
  return new VoiceStreamError('call_not_found', `call ${callId} is unknown`)
}

/** Throws `call_not_found`. */
export function known<T>(found: T | null, callId: CallId): T {
  if (found === null) throw unknownCall(callId)
  return found
}
