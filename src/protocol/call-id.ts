/**
 * The ids of calls: what RFC 3261 §25.1 allows in a Call-ID, `word [ "@" word ]`, so that a PBX may send its own. They are
 * printable ASCII without a space, `#`, `&`, `,` or `;`, but with quotes, slashes and percent signs: each place that puts one
 * into JSON, a path or the name of a file escapes it.
 */
import { VoiceStreamError } from '../errors.js'
import { limits } from '../limits.js'

declare const brand: unique symbol
/** A checked call id. */
export type CallId = string & { readonly [brand]: 'CallId' }

const word = '[A-Za-z0-9\\-.!%*_+`\'~()<>:\\\\"/\\[\\]?{}]+'
const words = `${word}(?:@${word})?`
/** Some proxy may take `%2F` for a slash, and would go up at such a part. */
const upwards = '(?:^|/)\\.{1,2}(?:/|$)'

/** For schemas, beside the bound on the length. */
export const callIdPattern = `^(?!.*${upwards})${words}$`

const pattern = new RegExp(`^${words}$`)
const goesUp = new RegExp(upwards)
const needsEscape = /["\\]/
export const callIdRule = `a call id has 1 to ${limits.callIdCharactersMax} characters that a SIP Call-ID may have, and no part between slashes is . or ..`

export function isCallId(text: string): text is CallId {
  return text.length <= limits.callIdCharactersMax && pattern.test(text) && !goesUp.test(text)
}

/** As it stands between the quotes of a JSON text. */
export function escapedCallId(callId: CallId): string {
  return needsEscape.test(callId) ? JSON.stringify(callId).slice(1, -1) : callId
}

/** Decodes a path segment: one strict percent-decoding, then the rule. Throws `invalid_call_id`. */
export function decodeCallId(segment: string): CallId {
  const decoded = segment.includes('%') ? percentDecoded(segment) : segment
  if (isCallId(decoded)) return decoded
  throw new VoiceStreamError('invalid_call_id', callIdRule)
}

function percentDecoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch (cause) {
    throw new VoiceStreamError('invalid_call_id', `${callIdRule}; this one is not valid percent-encoding`, {
      cause,
    })
  }
}
