/** The name of a stream's call, from what the platform, the query and the path say, in this order. Pure. */
import { hash } from 'node:crypto'
import { type CallId, isCallId } from '../protocol/call-id.js'

export interface NamedCall {
  readonly callId: CallId
  /** The platform's own, where it is no call id. */
  readonly original: string | null
  /** Nobody has named it: the name is made up, and nobody else will find the call by it. */
  readonly isMade: boolean
}

export function namedCall(said: readonly (string | null | undefined)[], newId: () => string): NamedCall {
  const name = said.find((text) => text !== null && text !== undefined && text !== '')
  if (name === undefined || name === null) return { callId: made(newId()), original: null, isMade: true }
  if (isCallId(name)) return { callId: name, original: null, isMade: false }
  return { callId: made(hash('sha256', name, 'base64url')), original: name, isMade: false }
}

function made(text: string): CallId {
  if (!isCallId(text)) throw new Error('a made name is a call id')
  return text
}
