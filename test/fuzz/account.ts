/**
 * The account of the run: every effect that an input can have by contract, with the answer it got. What the service
 * holds is compared with it by the oracle of the torture run: nothing may be there that no valid input put there.
 */
import type { CompletionAttempt, Outcome, PacketAttempt } from '../torture/attempts.js'
import { describe, judge } from '../torture/oracle.js'
import { readCall } from '../torture/read-back.js'
import { Connection } from '../torture/requests.js'
import { epochMs } from '../torture/stage.js'
import type { ExpectedRequest } from './expectation.js'
import type { Answer } from './socket-exchange.js'

/** Headers with which calls are written and read. */
export interface Bearers {
  readonly write: Readonly<Record<string, string>>
  readonly read: Readonly<Record<string, string>>
}

/** Calls that no valid input touches: they must stay as they are. */
export const bystanders = { open: 'bystander.open', done: 'bystander.done' } as const
export const doneTotal = 3

export class Account {
  readonly #bearers: Bearers
  readonly #packets: PacketAttempt[] = []
  readonly #completions: CompletionAttempt[] = []
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
    if (request.completion === null) return
    const outcome = answer?.status === 202 ? 'accepted' : answer === undefined ? 'unknown' : 'refused'
    this.#completions.push({ id: this.#nextId++, ...request.completion, outcome, detail: '' })
  }

  /** Two calls to look at for changes: one that is open, and one that has ended. */
  async stageBystanders(port: number): Promise<void> {
    const sender = new Connection(port, this.#bearers.write)
    for (const call of Object.values(bystanders))
      for (const sequence of [0, 2])
        await sender.post(`/v1/call/stream/${call}`, JSON.stringify({ sequence, data: 'x', timestamp: 1 }))
    await sender.post(`/v1/call/complete/${bystanders.done}`, JSON.stringify({ total_packets: doneTotal }))
    sender.close()
    const connection = new Connection(port, this.#bearers.read)
    for (;;) {
      const answer = await connection.get(`/v1/call/${bystanders.done}`)
      if (answer.kind !== 'answered') throw new Error(`no bystander: ${answer.reason}`)
      if (answer.text.includes('"ARCHIVED"')) break
    }
    this.#bystanders = await readBystanders(connection)
    for (const call of Object.values(bystanders)) this.#seen.add(call)
    connection.close()
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
      const found = await readBystanders(connection)
      if (found !== this.#bystanders) findings.push(`state: a bystander was changed: ${found.slice(0, 300)}`)
      return findings
    } finally {
      connection.close()
    }
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

/** The reads of a bystander, as they are. */
async function readBystanders(connection: Connection): Promise<string> {
  const texts: string[] = []
  for (const call of Object.values(bystanders))
    for (const part of ['', '/packets', '/gaps']) {
      const answer = await connection.get(`/v1/call/${call}${part}`)
      texts.push(answer.kind === 'answered' ? `${answer.status} ${answer.text}` : answer.reason)
    }
  return texts.join('\n')
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
