import { VoiceStreamError } from '../errors.js'
import { limits } from '../limits.js'

declare const brand: unique symbol
/** A checked call id; its characters need no escape in JSON, in a URL or in a log line. */
export type CallId = string & { readonly [brand]: 'CallId' }

const pattern = new RegExp(`^[A-Za-z0-9._:-]{1,${limits.callIdCharactersMax}}$`)
const rule = `a call id has 1 to ${limits.callIdCharactersMax} of A–Z a–z 0–9 . _ : - and is not . or ..`

export function isCallId(text: string): text is CallId {
  return pattern.test(text) && text !== '.' && text !== '..'
}

/** Decodes a path segment: one strict percent-decoding, then the rule. Throws `invalid_call_id`. */
export function decodeCallId(segment: string): CallId {
  if (isCallId(segment)) return segment
  const decoded = segment.includes('%') ? percentDecoded(segment) : segment
  if (isCallId(decoded)) return decoded
  throw new VoiceStreamError('invalid_call_id', rule)
}

function percentDecoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch (cause) {
    throw new VoiceStreamError('invalid_call_id', `${rule}; this one is not valid percent-encoding`, {
      cause,
    })
  }
}
