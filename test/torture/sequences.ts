/**
 * Numbers that are hard to keep track of, over HTTP (P17): what is out of range is refused, what is missing is told
 * exactly, and neither an answer nor the memory grows with the holes. What has been sent is kept here in a plain set.
 */
import WebSocket from 'ws'
import type { Service } from '../support/service.js'
import { toldMessage } from '../support/told-messages.js'
import { forgetPeak, mebibytes, residentOf } from './memory.js'
import { type CallFigures, figuresOf, type Range } from './oracle.js'
import { randomOf } from './random.js'
import { readAllGaps, type View } from './read-back.js'
import { type Answer, Connection } from './requests.js'
import { numberTexts, type Pattern, patternsOf, sequenceMax } from './sequence-patterns.js'
import { killHard, type Stage } from './stage.js'
import type { Verdict } from './verdict.js'

export interface SequencePlan {
  readonly seed: number
  /** Packets of each pattern. */
  readonly packets: number
  /** Fresh calls with one huge number each. */
  readonly hugeCalls: number
}

const answerBytesMax = 16 * 1024
const growthBytesMax = 64 * 1024 * 1024
const bulkPackets = 250
const missingListedMax = 100
const rangesListedMax = 100
const findingsMax = 50

export async function runSequences(stage: Stage, plan: SequencePlan): Promise<Verdict> {
  const service = await stage.service({ dataDir: stage.folder(), settings: { GRACE_PERIOD_MS: 60_000 } })
  const run = new Run(service.port)
  const events = await watchEvents(stage, service, run)
  await run.sendNumberTexts()
  const patterns = patternsOf(plan.packets, randomOf(plan.seed))
  for (const [i, pattern] of patterns.entries()) await run.sendPattern(`pattern-${i}`, pattern)
  run.measure('the largest event', events.bytesMax)
  run.close()
  await killHard(service)

  const growth = await growthOfHugeCalls(stage, plan.hugeCalls)
  if (growth > growthBytesMax)
    run.findings.push(`${plan.hugeCalls} calls with a huge number took ${mebibytes(growth)} MiB`)
  return {
    counts: {
      patterns: patterns.length,
      receipts: run.receipts,
      refused: run.refused,
      events: events.count,
      largestAnswer: Math.max(...run.largest.values()),
      hugeCalls: plan.hugeCalls,
    },
    notes: { growthMebibytes: mebibytes(growth) },
    faults: run.refused,
    findings: run.findings,
  }
}

class Run {
  readonly findings: string[] = []
  readonly largest = new Map<string, number>()
  receipts = 0
  refused = 0
  readonly #connection: Connection

  constructor(port: number) {
    this.#connection = new Connection(port)
  }

  close(): void {
    this.#connection.close()
  }

  measure(what: string, bytes: number): void {
    const before = this.largest.get(what) ?? 0
    this.largest.set(what, Math.max(before, bytes))
    if (bytes > answerBytesMax && before <= answerBytesMax) this.findings.push(`${what} has ${bytes} bytes`)
  }

  /** What a supervisor was told, by its schema and without other members. */
  judge(text: string): void {
    try {
      toldMessage(text)
    } catch (error) {
      if (this.findings.length < findingsMax) this.findings.push(String(error))
    }
  }

  /** By both routes; of all that is refused nothing may stay. */
  async sendNumberTexts(): Promise<void> {
    for (const route of ['single', 'bulk'] as const) {
      const call = `numbers-${route}`
      const sent = new Set<number>()
      for (const { text, sequence } of numberTexts) {
        const answer = await this.#sendText(route, call, text)
        if (sequence !== null) sent.add(sequence)
        else this.refused++
        const isRight = sequence === null ? isRefusal(route, answer) : statusOf(answer) === 202
        if (!isRight) this.findings.push(`${text} by the ${route} route: ${JSON.stringify(answer)}`)
      }
      await this.#compareView(call, sent, null)
    }
  }

  #sendText(route: 'single' | 'bulk', call: string, text: string): Promise<Answer> {
    const members = `"sequence":${text},"data":"x","timestamp":1700000000`
    return route === 'single'
      ? this.#connection.post(`/v1/call/stream/${call}`, `{${members}}`)
      : this.#connection.post('/v1/packets', `{"call_id":"${call}",${members}}`, 'application/x-ndjson')
  }

  async sendPattern(call: string, { name, sequences, totalPackets }: Pattern): Promise<void> {
    const before = this.findings.length
    const sent = new Set<number>()
    for (let first = 0; first < sequences.length; first += bulkPackets) {
      const [single, ...others] = sequences.slice(first, first + bulkPackets)
      await this.#sendBulk(call, others, sent)
      await this.#sendSingle(call, single as number, sent, null)
    }
    await this.#compareView(call, sent, null)
    await this.#sendSingle(call, sequences[0] as number, sent, null)
    const completion = JSON.stringify({ total_packets: totalPackets })
    const completed = await this.#connection.post(`/v1/call/complete/${call}`, completion)
    if (statusOf(completed) !== 202) this.findings.push(`its completion: ${JSON.stringify(completed)}`)
    await this.#sendSingle(call, sequences[0] as number, sent, totalPackets)
    await this.#compareView(call, sent, totalPackets)
    for (let i = before; i < this.findings.length; i++) this.findings[i] = `${name}: ${this.findings[i]}`
  }

  async #sendBulk(call: string, sequences: readonly number[], sent: Set<number>): Promise<void> {
    const lines = sequences.map((sequence) => JSON.stringify({ call_id: call, ...bodyOf(sequence) }))
    const answer = await this.#connection.post('/v1/packets', lines.join('\n'), 'application/x-ndjson')
    for (const sequence of sequences) sent.add(sequence)
    const accepted = answer.kind === 'answered' ? (JSON.parse(answer.text) as { accepted: number }) : null
    if (accepted?.accepted !== sequences.length)
      this.findings.push(`a bulk request: ${JSON.stringify(answer).slice(0, 200)}`)
  }

  /** Its receipt is compared with what has been sent. */
  async #sendSingle(call: string, sequence: number, sent: Set<number>, total: number | null): Promise<void> {
    const answer = await this.#connection.post(`/v1/call/stream/${call}`, JSON.stringify(bodyOf(sequence)))
    if (answer.kind !== 'answered' || answer.status !== 202) {
      this.findings.push(`${sequence} was answered ${JSON.stringify(answer).slice(0, 200)}`)
      return
    }
    this.receipts++
    this.measure('the largest receipt', Buffer.byteLength(answer.text))
    const isDuplicate = sent.has(sequence)
    sent.add(sequence)
    const { received, missing, gaps } = figuresOf([...sent], total)
    const expected = {
      duplicate: isDuplicate,
      total_received: received,
      missing_count: missing,
      missing_sequences: firstOf(gaps, missingListedMax),
    }
    this.#compare(`the receipt of ${sequence}`, JSON.parse(answer.text), expected)
  }

  async #compareView(call: string, sent: ReadonlySet<number>, total: number | null): Promise<void> {
    const answer = await this.#connection.get(`/v1/call/${call}`)
    if (answer.kind !== 'answered' || answer.status !== 200) {
      this.findings.push(`the view of ${call} was answered ${JSON.stringify(answer).slice(0, 200)}`)
      return
    }
    const view = JSON.parse(answer.text) as View
    const withoutTexts = { ...view, ai: { ...view.ai, transcription: null, error: null } }
    this.measure('the largest view', Buffer.byteLength(JSON.stringify(withoutTexts)))
    const { received, highest, missing, surplus, gaps } = figuresOf([...sent], total)
    const expected: CallFigures = {
      total_received: received,
      expected_total_packets: total,
      highest_sequence: highest,
      missing_count: missing,
      missing_ranges: gaps.slice(0, rangesListedMax),
      surplus_count: surplus,
    }
    this.#compare(`the view of ${call}`, view, expected)
    const read = await readAllGaps(this.#connection, call)
    if (JSON.stringify(read) !== JSON.stringify(gaps))
      this.findings.push(`${read.length} gaps of ${call} are listed, and there are ${gaps.length}`)
  }

  #compare<Told extends object>(what: string, told: Told, expected: Partial<Told> | object): void {
    for (const [name, value] of Object.entries(expected)) {
      const given = JSON.stringify(told[name as keyof Told])
      if (given !== JSON.stringify(value))
        this.findings.push(`${what}: ${name} is ${given}, not ${JSON.stringify(value)}`.slice(0, 300))
    }
  }
}

function bodyOf(sequence: number) {
  return { sequence, data: `packet ${sequence}`, timestamp: 1_700_000_000 }
}

function statusOf(answer: Answer): number {
  return answer.kind === 'answered' ? answer.status : 0
}

function isRefusal(route: 'single' | 'bulk', answer: Answer): boolean {
  if (route === 'single') return statusOf(answer) >= 400 && statusOf(answer) < 500
  return answer.kind === 'answered' && (JSON.parse(answer.text) as { invalid: number }).invalid === 1
}

function firstOf(gaps: readonly Range[], count: number): readonly number[] {
  const numbers: number[] = []
  for (const [first, last] of gaps)
    for (let sequence = first; sequence <= last && numbers.length < count; sequence++) numbers.push(sequence)
  return numbers
}

async function watchEvents(
  stage: Stage,
  { port }: Service,
  run: Run,
): Promise<{ readonly bytesMax: number; readonly count: number }> {
  const seen = { bytesMax: 0, count: 0 }
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws/supervisor`)
  stage.after(() => socket.terminate())
  socket.on('message', (data: Buffer) => {
    seen.count++
    run.judge(String(data))
    seen.bytesMax = Math.max(seen.bytesMax, data.length)
  })
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  return seen
}

/** Ordinary calls first, as many: what a process takes for its first requests is not the holes' doing. */
async function growthOfHugeCalls(stage: Stage, calls: number): Promise<number> {
  const service = await stage.service({ dataDir: stage.folder() })
  const pid = service.child.pid as number
  const connection = new Connection(service.port)
  const send = async (prefix: string, sequenceOf: (i: number) => number) => {
    for (let i = 0; i < calls; i++) {
      const answer = await connection.post(
        `/v1/call/stream/${prefix}-${i}`,
        JSON.stringify(bodyOf(sequenceOf(i))),
      )
      if (statusOf(answer) !== 202) throw new Error(`${prefix}-${i}: ${JSON.stringify(answer)}`)
    }
  }
  await send('ordinary', () => 0)
  const { bytes: before } = residentOf(pid)
  forgetPeak(pid)
  await send('huge', (i) => sequenceMax - i)
  const { peakBytes } = residentOf(pid)
  connection.close()
  await killHard(service)
  return peakBytes - before
}
