/** A `Range` header, RFC 9110 §14.2: one range of bytes; anything else is answered with the whole. Pure. */

/** Inclusive. */
export interface ByteRange {
  readonly first: number
  readonly last: number
}

/** Null: the whole. `unsatisfiable`: it begins behind the end. */
export function readRange(header: string | null, bytes: number): ByteRange | 'unsatisfiable' | null {
  const [, from, to] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '') ?? []
  if (from === undefined || to === undefined || (from === '' && to === '')) return null
  // The last so many bytes.
  if (from === '') {
    const length = Math.min(Number(to), bytes)
    return length === 0 ? 'unsatisfiable' : { first: bytes - length, last: bytes - 1 }
  }
  const first = Number(from)
  const last = to === '' ? bytes - 1 : Math.min(Number(to), bytes - 1)
  // Backwards is no range at all.
  if (to !== '' && Number(to) < first) return null
  return first >= bytes ? 'unsatisfiable' : { first, last }
}
