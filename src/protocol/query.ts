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

const dateTime = /^(\d{4})-(\d\d)-(\d\d)(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d))?$/

/** Milliseconds since 1970; a date alone is its midnight, UTC. Null where nothing was said. */
export function timeOf(text: string | undefined, name: string): number | null {
  if (text === undefined) return null
  const [, year, month, day] = dateTime.exec(text)?.map(Number) ?? []
  const isDay = new Date(Date.UTC(year ?? 0, (month ?? 0) - 1, day)).getUTCDate() === day
  const at = isDay ? Date.parse(text) : Number.NaN
  if (Number.isNaN(at))
    throw invalidParameter(name, 'must be a date, or a date-time with its zone (RFC 3339)')
  return at
}
