/**
 * The only way to a node's own subject: one message at a time, each guarded by the last one that this node has written there,
 * until it is certain what became of it.
 *
 * - An outcome that is unknown is asked for again, with the same id and expectation, for ever: to a call the disk is slow.
 * - A message that is refused may be our own earlier attempt, whose id the log has forgotten. So the path waits until this
 *   node has applied what refused it, and then knows: stored, or fenced.
 * - `last` is always a message of our own, or what we were fenced by. What stands behind our own message without us having
 *   been told must refuse the next one, because what is open then was decided without it.
 */
import assert from 'node:assert/strict'
import type { Clock } from '../../clock.js'
import type { AppendOutcome, Log, LogAppend, LogMessage } from '../log.js'
import { retryMs, retryMsMax } from './cluster-times.js'

export interface PathOutcome {
  stored(sequence: number): void
  /** Nothing of it is in the log, nor ever will be; what this node decided since is not true any more. */
  fenced(): void
}

interface Sent extends PathOutcome {
  readonly id: string
  /** Where this node has applied it. */
  appliedAt: number | null
  refusedBy: number | null
}

/** Asks until the outcome is certain. The returned function gives up; what was sent may still be stored. */
export function appendCertainly(
  log: Log,
  clock: Clock,
  attempt: LogAppend,
  settled: (outcome: Exclude<AppendOutcome, { kind: 'unknown' }>) => void,
): () => void {
  let isOver = false
  let waitMs = retryMs
  const ask = () => {
    if (isOver) return
    log.append(attempt, (outcome) => {
      if (isOver) return
      if (outcome.kind !== 'unknown') return settled(outcome)
      clock.after(waitMs, ask)
      waitMs = Math.min(waitMs * 1.5, retryMsMax)
    })
  }
  ask()
  return () => {
    isOver = true
  }
}

export class AppendPath {
  readonly #log: Log
  readonly #clock: Clock
  readonly #subject: string
  #last: number
  #appliedThrough: number
  #sent: Sent | null = null
  #giveUp = () => {}

  /** `last`: of the subject, as this node has applied it. */
  constructor(log: Log, clock: Clock, subject: string, last: number, appliedThrough: number) {
    this.#log = log
    this.#clock = clock
    this.#subject = subject
    this.#last = last
    this.#appliedThrough = appliedThrough
  }

  get isBusy(): boolean {
    return this.#sent !== null
  }

  /** What the next message expects; 0 only before the first one, and where all of the subject was trimmed. */
  get last(): number {
    return this.#last
  }

  append(id: string, body: Uint8Array, outcome: PathOutcome): void {
    assert(this.#sent === null, 'one message at a time')
    const sent: Sent = { ...outcome, id, appliedAt: null, refusedBy: null }
    this.#sent = sent
    const attempt = { subject: this.#subject, expected: this.#last, id, body }
    this.#giveUp = appendCertainly(this.#log, this.#clock, attempt, (certain) => {
      if (certain.kind === 'stored') return this.#stored(sent, certain.at)
      sent.refusedBy = certain.last
      this.#judge(sent)
    })
  }

  /** Each message that this node has applied, of every subject. */
  applied({ sequence, subject, id }: Pick<LogMessage, 'sequence' | 'subject' | 'id'>): void {
    this.#appliedThrough = sequence
    const sent = this.#sent
    if (sent === null) return
    if (subject === this.#subject && id === sent.id) sent.appliedAt = sequence
    this.#judge(sent)
  }

  #judge(sent: Sent): void {
    const { refusedBy, appliedAt } = sent
    if (refusedBy === null) return
    if (appliedAt !== null) return this.#stored(sent, appliedAt)
    if (refusedBy > this.#appliedThrough) return
    this.#sent = null
    this.#last = refusedBy
    sent.fenced()
  }

  #stored(sent: Sent, at: number): void {
    this.#sent = null
    this.#last = at
    sent.stored(at)
  }

  /** The node ends. Nobody is told anything any more. */
  close(): void {
    this.#giveUp()
  }
}
