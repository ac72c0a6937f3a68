/**
 * The driver's own account: an append-only file with one line before every send and one after every answer. What the
 * oracle judges comes from here alone, so that a service that forgets cannot make the account forget with it.
 */
import { createHash } from 'node:crypto'
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { epochMs } from './stage.js'

/**
 * `accepted` and `duplicate`: the whole 202 was seen. `refused`: a 4xx. `unknown`: everything else (5xx, a reset, no
 * answer), where the packet may be stored or not.
 */
export type Outcome = 'accepted' | 'duplicate' | 'refused' | 'unknown'

export interface PacketAttempt {
  readonly id: number
  readonly call: string
  readonly sequence: number
  readonly contentHash: string
  readonly sentAt: number
  /** Null where the account ends before the answer. */
  readonly doneAt: number | null
  readonly outcome: Outcome
  /** The status of the answer, or what went wrong instead. */
  readonly detail: string
}

export interface CompletionAttempt {
  readonly id: number
  readonly call: string
  readonly totalPackets: number
  readonly outcome: Outcome
  readonly detail: string
}

export interface History {
  readonly packets: readonly PacketAttempt[]
  readonly completions: readonly CompletionAttempt[]
}

export function contentHash(data: string, timestamp: number): string {
  return createHash('sha256').update(`${timestamp}:${data}`).digest('hex').slice(0, 24)
}

type Line =
  | {
      readonly is: 'packet'
      readonly id: number
      readonly call: string
      readonly sequence: number
      readonly hash: string
      readonly at: number
    }
  | {
      readonly is: 'completion'
      readonly id: number
      readonly call: string
      readonly total: number
      readonly at: number
    }
  | {
      readonly is: 'end'
      readonly id: number
      readonly outcome: Outcome
      readonly detail: string
      readonly at: number
    }

export class AttemptLog {
  readonly path: string
  readonly #file: number
  #nextId = 1

  constructor(path: string) {
    this.path = path
    this.#file = openSync(path, 'a')
  }

  packet(call: string, sequence: number, hash: string): number {
    const id = this.#nextId++
    this.#write({ is: 'packet', id, call, sequence, hash, at: epochMs() })
    return id
  }

  completion(call: string, total: number): number {
    const id = this.#nextId++
    this.#write({ is: 'completion', id, call, total, at: epochMs() })
    return id
  }

  end(id: number, outcome: Outcome, detail: string): void {
    this.#write({ is: 'end', id, outcome, detail, at: epochMs() })
  }

  #write(line: Line): void {
    writeSync(this.#file, `${JSON.stringify(line)}\n`)
  }

  close(): void {
    closeSync(this.#file)
  }
}

/** An attempt without an end is unknown. */
export function readHistory(path: string): History {
  const lines = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line)
  const ends = new Map(lines.flatMap((line) => (line.is === 'end' ? [[line.id, line] as const] : [])))
  const packets: PacketAttempt[] = []
  const completions: CompletionAttempt[] = []
  for (const line of lines) {
    if (line.is === 'end') continue
    const end = ends.get(line.id)
    const outcome = end?.outcome ?? 'unknown'
    const detail = end?.detail ?? 'no answer'
    const { id, call } = line
    if (line.is === 'completion') completions.push({ id, call, totalPackets: line.total, outcome, detail })
    else {
      const { sequence, hash, at: sentAt } = line
      packets.push({
        id,
        call,
        sequence,
        contentHash: hash,
        sentAt,
        doneAt: end?.at ?? null,
        outcome,
        detail,
      })
    }
  }
  return { packets, completions }
}
