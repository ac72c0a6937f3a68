/** What an answer says of the attempts that it answers. */
import type { Outcome } from './attempts.js'
import type { Answer } from './requests.js'

export interface Ending {
  readonly outcome: Outcome
  readonly detail: string
}

export const unreadable: Ending = { outcome: 'unknown', detail: '202 unreadable' }

export function outcomeOf(answer: Answer): Ending {
  if (answer.kind === 'broken') return { outcome: 'unknown', detail: answer.reason }
  const detail = String(answer.status)
  if (answer.status !== 202)
    return { outcome: answer.status >= 400 && answer.status < 500 ? 'refused' : 'unknown', detail }
  const status = parsed(answer.text)?.['status']
  return status === 'accepted' || status === 'duplicate' ? { outcome: status, detail } : unreadable
}

/** A line that is not listed was accepted. */
export function bulkOutcomes(answer: Answer, count: number): readonly Ending[] {
  if (answer.kind === 'broken' || answer.status !== 202)
    return Array.from({ length: count }, () => outcomeOf(answer))
  const listed = parsed(answer.text)?.['lines']
  if (!Array.isArray(listed)) return []
  const endings: Ending[] = Array.from({ length: count }, () => ({ outcome: 'accepted', detail: '202' }))
  for (const { line, status } of listed as { line: number; status: string }[])
    endings[line - 1] =
      status === 'duplicate'
        ? { outcome: 'duplicate', detail: '202' }
        : { outcome: 'refused', detail: status === 'rejected' ? '409' : status }
  return endings
}

function parsed(text: string): Record<string, unknown> | null {
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    // Told as an unreadable answer, which the oracle reports.
    return null
  }
}
