/**
 * The account of the run: every effect that an input can have by contract, with the answer it got. What the service
 * holds is compared with it by the oracle of the torture run: nothing may be there that no valid input put there.
 */
import type { CompletionAttempt, Outcome, PacketAttempt } from '../torture/attempts.js'
import { describe, judge } from '../torture/oracle.js'
import { readCall } from '../torture/read-back.js'
import { Connection } from '../torture/requests.js'
import { epochMs } from '../torture/stage.js'
import { bystanders, readBystanders, stageBystanders } from './bystanders.js'
import type { ExpectedRequest } from './expectation.js'
import type { Answer } from './socket-exchange.js'
import { judgeStarts, type StartAttempt } from './started-calls.js'

/** Headers with which calls are written and read. */
export interface Bearers {
  readonly write: Readonly<Record<string, string>>
  readonly read: Readonly<Record<string, string>>
}

export class Account {
  readonly #bearers: Bearers
  readonly #packets: PacketAttempt[] = []
  readonly #completions: CompletionAttempt[] = []
  readonly #starts: StartAttempt[] = []
  /** Calls that an earlier check has seen. */
  readonly #seen = new Set<string>()
  #nextId = 1
  #changedCalls = new Set<string>()
  #bystanders = ''
  /** How many packets were acknowledged: a fuzz that reaches nothing shows nothing. */
  accepted = 0

  constructor(bearers: Bearers) {
    this.#bearers = bearers
  }

  /** Before the requests are sent. */
  begin(requests: readonly ExpectedRequest[]): { end(answers: readonly Answer[]): void } {
    const sentAt = epochMs()
    return {
      end: (answers) => {
        for (const [index, request] of requests.entries()) this.#add(request, answers[index], sentAt)
      },
    }
  }

  #add(request: ExpectedRequest, answer: Answer | undefined, sentAt: number): void {
    const doneAt = answer === undefined ? null : epochMs()
    for (const [index, { call, sequence, hash }] of request.packets.entries()) {
      const outcome = outcomeOf(answer, request.lines === null ? null : duplicatesOf(request, answer), index)
      if (outcome === 'accepted') this.accepted++
      this.#changedCalls.add(call)
      // A refusal of what is valid is found where answers are judged; the oracle is to look at what is stored.
      const detail = outcome === 'refused' ? '409' : String(answer?.status ?? 'no answer')
      const id = this.#nextId++
      this.#packets.push({ id, call, sequence, contentHash: hash, sentAt, doneAt, outcome, detail })
    }
    const status = answer?.status ?? null
    const outcome = status === 202 ? 'accepted' : status === null || status >= 500 ? 'unknown' : 'refused'
    if (request.start !== null) {
      this.#changedCalls.add(request.start.call)
      this.#starts.push({ ...request.start, sentAt, doneAt, outcome, isConflict: status === 409 })
    }
    if (request.completion === null) return
    this.#completions.push({ id: this.#nextId++, ...request.completion, outcome, detail: '' })
  }

  async stageBystanders(port: number): Promise<void> {
    const sender = new Connection(port, this.#bearers.write)
    const reader = new Connection(port, this.#bearers.read)
    await stageBystanders(sender, reader)
    this.#bystanders = await readBystanders(reader)
    for (const call of Object.values(bystanders)) this.#seen.add(call)
    sender.close()
    reader.close()
  }

  /** Findings of the calls that inputs have touched since the last check, and of every call that is new. */
  async check(port: number): Promise<readonly string[]> {
    const connection = new Connection(port, this.#bearers.read)
    try {
      const calls = new Set([...(await this.#newCalls(connection)), ...this.#changedCalls])
      this.#changedCalls = new Set()
      const stored = []
      for (const call of calls) stored.push(await readCall(connection, call))
      const of = ({ call }: { call: string }) => calls.has(call)
      const history = { packets: this.#packets.filter(of), completions: this.#completions.filter(of) }
      const violations = judge(history, stored)
      const findings = violations.length === 0 ? [] : [`state: ${describe(violations)}`]
      for (const call of calls) findings.push(...(await this.#startFindings(connection, call)))
      findings.push(...(await this.#floorFindings(connection)))
      const found = await readBystanders(connection)
      if (found !== this.#bystanders) findings.push(`state: a bystander was changed: ${found.slice(0, 300)}`)
      return findings
    } finally {
      connection.close()
    }
  }

  async #startFindings(connection: Connection, call: string): Promise<readonly string[]> {
    const answer = await connection.get(`/v1/call/${encodeURIComponent(call)}`)
    if (answer.kind !== 'answered') throw new Error(`${call} cannot be read: ${answer.reason}`)
    const of = (attempt: { call: string }) => attempt.call === call
    const view = answer.status === 200 ? JSON.parse(answer.text) : null
    const findings = judgeStarts(this.#starts.filter(of), this.#packets.filter(of), view)
    return findings.map((finding) => `state: ${call}: ${finding}`)
  }

  /** It counts the calls that are stored: those that were seen, no more and no less. */
  async #floorFindings(connection: Connection): Promise<readonly string[]> {
    const answer = await connection.get('/v1/floor')
    if (answer.kind !== 'answered' || answer.status !== 200) throw new Error('the floor cannot be read')
    const { totals }: { totals: { calls: Record<string, number> } } = JSON.parse(answer.text)
    const count = Object.values(totals.calls).reduce((sum, each) => sum + each, 0)
    return count === this.#seen.size
      ? []
      : [`state: ${count} calls on the floor instead of ${this.#seen.size}`]
  }

  /** Newest first, back to those that were seen before. */
  async #newCalls(connection: Connection): Promise<readonly string[]> {
    const found: string[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const query: string = cursor === '' ? '' : `&cursor=${cursor}`
      const answer = await connection.get(`/v1/calls?limit=200${query}`)
      if (answer.kind !== 'answered' || answer.status !== 200) throw new Error('the calls cannot be read')
      const page: { calls: { call_id: string }[]; next_cursor: string | null } = JSON.parse(answer.text)
      const fresh = page.calls.map(({ call_id }) => call_id).filter((call) => !this.#seen.has(call))
      found.push(...fresh)
      cursor = fresh.length < page.calls.length ? null : page.next_cursor
    }
    for (const call of found) this.#seen.add(call)
    return found
  }
}

/** Of a bulk answer: which of its packets, counted over the valid lines, were duplicates. */
function duplicatesOf({ lines }: ExpectedRequest, answer: Answer | undefined): ReadonlySet<number> | null {
  if (lines === null || answer?.status !== 202) return null
  const result: { lines: { line: number; status: string }[] } = JSON.parse(answer.body)
  const bad = new Set(lines.invalid)
  const numbers = lines.numbers.filter((line) => !bad.has(line))
  const duplicates = new Set(
    result.lines.filter(({ status }) => status === 'duplicate').map(({ line }) => line),
  )
  return new Set(numbers.flatMap((line, index) => (duplicates.has(line) ? [index] : [])))
}

function outcomeOf(
  answer: Answer | undefined,
  duplicates: ReadonlySet<number> | null,
  index: number,
): Outcome {
  if (answer === undefined || answer.status >= 500) return 'unknown'
  if (answer.status !== 202) return 'refused'
  if (duplicates !== null) return duplicates.has(index) ? 'duplicate' : 'accepted'
  return answer.body.includes('"status":"duplicate"') ? 'duplicate' : 'accepted'
}
