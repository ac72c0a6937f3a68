/** Telnyx, where the stream was started with `stream_auth_token`: the secret comes with the upgrade, in a header of its own. */
import { isAnySecret } from './secret-text.js'
import { type Headers, right, type Verdict, wrong } from './verdict.js'

const charactersMax = 4096

export function checkTelnyxToken(headers: Headers, tokens: readonly string[]): Verdict {
  const given = headers.get('x-telnyx-streaming-auth-token') ?? ''
  if (given === '' || given.length > charactersMax)
    return wrong('the header X-Telnyx-Streaming-Auth-Token is missing')
  return isAnySecret(given, tokens) ? right : wrong('the secret is wrong')
}
