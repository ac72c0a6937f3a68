/**
 * Pure: what copies of one packet that ran against each other may be told. `oracle.ts` judges every packet by what is
 * stored in the end; this adds what a race needs: one copy is first, whoever else is told 202 is told so after that one
 * is durable, and what was stored once stays as it is.
 */
import type { PacketAttempt } from './attempts.js'

export interface Look {
  /** Between a restart and the copies that were sent after it. */
  readonly at: number
  /** Null: not stored. */
  readonly contentHash: string | null
}

export interface RunRace {
  readonly call: string
  readonly sequence: number
  readonly attempts: readonly PacketAttempt[]
  /** What was found after the kill that cut the race in two; null where none did. */
  readonly look: Look | null
  /** What is stored in the end, as often as it was read. */
  readonly stored: readonly string[]
}

export interface RaceViolation {
  readonly kind:
    | 'no-answer'
    | 'not-one-first'
    | 'first-after-acknowledged'
    | 'acknowledged-not-durable'
    | 'first-though-stored'
    | 'overwritten'
    | 'not-stored-once'
  readonly call: string
  readonly detail: string
}

export function judgeRace({ call, sequence, attempts, look, stored }: RunRace): readonly RaceViolation[] {
  const violations: RaceViolation[] = []
  const report = (kind: RaceViolation['kind'], detail: string) =>
    violations.push({ kind, call, detail: `${sequence}: ${detail}` })
  const first = attempts.filter(({ outcome }) => outcome === 'accepted')
  const acknowledged = attempts.filter(isAcknowledged)
  const unknown = attempts.filter(({ outcome }) => outcome === 'unknown')

  if (stored.length !== 1) report('not-stored-once', `stored ${stored.length} times`)
  // A kill is the only thing in a race that may keep an answer back.
  const unanswered = unknown.filter(({ sentAt }) => look === null || sentAt > look.at)
  if (unanswered.length > 0)
    report('no-answer', `${unanswered.length} copies: ${(unanswered[0] as PacketAttempt).detail}`)
  const isClear = unknown.length === 0
  if (first.length > 1 || (isClear && first.length === 0))
    report('not-one-first', `${first.length} of ${attempts.length} copies were told to be the first`)
  for (const { sentAt } of first)
    if (acknowledged.some(({ doneAt }) => (doneAt ?? 0) < sentAt))
      report('first-after-acknowledged', 'what an earlier copy was told was not kept')
  if (look === null) return violations

  const before = acknowledged.filter(({ sentAt }) => sentAt < look.at)
  if (before.length > 0 && look.contentHash === null)
    report('acknowledged-not-durable', `${before.length} copies had their 202 before the kill`)
  if (look.contentHash === null) return violations
  if (first.some(({ sentAt }) => sentAt > look.at)) report('first-though-stored', 'it was stored before')
  if (stored.some((contentHash) => contentHash !== look.contentHash))
    report('overwritten', 'a later copy replaced it')
  return violations
}

export function isAcknowledged({ outcome }: PacketAttempt): boolean {
  return outcome === 'accepted' || outcome === 'duplicate'
}
