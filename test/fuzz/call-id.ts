/** The call that a segment of a path names, or null: read by the contract alone. */
export function callIdOf(segment: string): string | null {
  let text = segment
  try {
    if (segment.includes('%')) text = decodeURIComponent(segment)
  } catch {
    return null
  }
  return /^[A-Za-z0-9._:-]{1,128}$/.test(text) && text !== '.' && text !== '..' ? text : null
}
