/** Comparison of secrets that takes as long for a wrong text as for the right one. */
import { createHmac, hash, timingSafeEqual } from 'node:crypto'

export function isSameSecret(given: string, secret: string): boolean {
  return timingSafeEqual(digest(given), digest(secret))
}

/** Whether one of them fits; each is compared, whatever the others were. */
export function isAnySecret(given: string, secrets: readonly string[]): boolean {
  let isFound = false
  for (const secret of secrets) if (isSameSecret(given, secret)) isFound = true
  return isFound
}

/** Equal lengths, because `timingSafeEqual` asks for them. */
function digest(text: string): Buffer {
  return hash('sha256', text, 'buffer')
}

export function hmacBase64(algorithm: 'sha1' | 'sha256', key: string | Uint8Array, text: string): string {
  return createHmac(algorithm, key).update(text).digest('base64')
}
