import { isCallIdText } from '../support/call-id-texts.js'

/** The call that a segment of a path names, or null: read by the contract alone. */
export function callIdOf(segment: string): string | null {
  let text = segment
  try {
    if (segment.includes('%')) text = decodeURIComponent(segment)
  } catch {
    return null
  }
  return isCallIdText(text) ? text : null
}
