/**
 * Plivo's signature of version 3: HMAC-SHA256 of the URL, its query sorted by name, a dot and the nonce. The vendor's own SDK signs
 * `https` for sockets, too. While an auth token is replaced, and for the main account, the header holds several with commas.
 */
import { hmacBase64, isSameSecret } from './secret-text.js'
import { signedUrls, sortedPairs } from './signed-urls.js'
import { right, type SignedRequest, type Verdict, wrong } from './verdict.js'

const signaturesMax = 8
const nonceCharactersMax = 256

export function checkPlivoSignature(request: SignedRequest, authTokens: readonly string[]): Verdict {
  const { headers } = request
  const nonce = headers.get('x-plivo-signature-v3-nonce') ?? ''
  const given = (headers.get('x-plivo-signature-v3') || headers.get('x-plivo-signature-ma-v3') || '')
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '')
    .slice(0, signaturesMax)
  if (given.length === 0) return wrong('the header X-Plivo-Signature-V3 is missing')
  if (nonce === '' || nonce.length > nonceCharactersMax)
    return wrong('the header X-Plivo-Signature-V3-Nonce is missing or too long')
  const query = sortedPairs(request.query)
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
  let isRight = false
  for (const url of signedUrls(request, 'https'))
    for (const token of authTokens) {
      const signature = hmacBase64('sha256', token, `${url}${query === '' ? '' : `?${query}`}.${nonce}`)
      for (const each of given) if (isSameSecret(each, signature)) isRight = true
    }
  return isRight ? right : wrong('the signature does not fit: check the auth token and PUBLIC_URL')
}
