/** Parameters of an address: from text to checked words. What is not understood is refused by its name. */
import { VoiceStreamError } from '../errors.js'

export function invalidParameter(
  name: string,
  message: string,
  code: 'schema_violation' | 'invalid_query' = 'schema_violation',
): VoiceStreamError {
  return new VoiceStreamError(code, `${name} ${message}`, { fields: [{ path: `/query/${name}`, message }] })
}

/** Throws `schema_violation`, as those below do. */
export function oneOf<T extends string, Absent>(
  text: string | undefined,
  name: string,
  known: readonly T[],
  absent: Absent,
): T | Absent {
  if (text === undefined) return absent
  const found = known.find((each) => each === text)
  if (found === undefined) throw invalidParameter(name, `must be one of ${known.join(', ')}`)
  return found
}

export function integerOf(
  text: string | undefined,
  name: string,
  minimum: number,
  maximum: number,
  absent: number,
): number {
  if (text === undefined) return absent
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (value >= minimum && value <= maximum) return value
  throw invalidParameter(name, `must be an integer from ${minimum} to ${maximum}`)
}
