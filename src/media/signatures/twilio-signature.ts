/**
 * `X-Twilio-Signature`, of sockets and of webhooks: base64 of the HMAC-SHA1 of the URL as TwiML has it, and of the parameters of a form,
 * name and value, sorted by name. With `X-Twilio-Webhooks-Signature-Settings` it is HMAC-SHA256; whether Media Streams ever send that
 * header is not known.
 */
import { hmacBase64, isSameSecret } from './secret-text.js'
import { signedUrls, sortedPairs } from './signed-urls.js'
import { right, type SignedRequest, type Verdict, wrong } from './verdict.js'

const digestAlgorithms: ReadonlyMap<string, 'sha1' | 'sha256'> = new Map([
  ['HMAC_SHA1', 'sha1'],
  ['HMAC_SHA256', 'sha256'],
])

/** `authTokens`: two while one takes the other's place. `form`: the body of a webhook, undecoded; empty for a socket. */
export function checkTwilioSignature(
  request: SignedRequest,
  authTokens: readonly string[],
  form = '',
): Verdict {
  const given = request.headers.get('x-twilio-signature')
  if (given === undefined || given === '') return wrong('the header X-Twilio-Signature is missing')
  const algorithm = algorithmOf(request.headers.get('x-twilio-webhooks-signature-settings'))
  if (algorithm === null) return wrong('the signature has an algorithm that is not known')
  const texts = signedTexts(request, form)
  let isRight = false
  for (const token of authTokens)
    for (const text of texts) if (isSameSecret(given, hmacBase64(algorithm, token, text))) isRight = true
  return isRight ? right : wrong('the signature does not fit: check the auth token and PUBLIC_URL')
}

/** A query is dropped for most sockets; where it is not, it is part of the URL or counts as parameters. */
function signedTexts(request: SignedRequest, form: string): readonly string[] {
  const { query } = request
  const parameters = joined(form)
  return signedUrls(request, 'wss').flatMap((url) =>
    query === ''
      ? [`${url}${parameters}`]
      : [`${url}?${query}${parameters}`, `${url}${joined(query)}${parameters}`, `${url}${parameters}`],
  )
}

function joined(pairs: string): string {
  return sortedPairs(pairs)
    .map(([name, value]) => `${name}${value}`)
    .join('')
}

function algorithmOf(settings: string | undefined): 'sha1' | 'sha256' | null {
  if (!settings) return 'sha1'
  const name = /(?:^|,)\s*algorithm=([A-Za-z0-9_]+)/.exec(settings)?.[1]
  return digestAlgorithms.get(name ?? '') ?? null
}
