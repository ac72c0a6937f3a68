/** Calls under test: a real registry with real actors on the journal in memory, and everything that they tell. */
import assert from 'node:assert/strict'
import type { AnalysisFacts } from '../../src/actors/call-context.js'
import type { UnplacedEvent } from '../../src/actors/call-events.js'
import type { BlockFacts, ReceiptFacts } from '../../src/actors/call-facts.js'
import type { CallMachineSnapshot } from '../../src/actors/call-machine.js'
import type {
  CallMessage,
  CompletionAnswer,
  DescribeAnswer,
  ErasureAnswer,
  LegAnswer,
  LegRequest,
  PacketMessage,
  RedriveAnswer,
} from '../../src/actors/call-messages.js'
import type { CallPorts } from '../../src/actors/call-ports.js'
import { CallRegistry } from '../../src/actors/call-registry.js'
import { callView } from '../../src/actors/call-view.js'
import { DuplicateCheck } from '../../src/actors/duplicate-check.js'
import type { Millis } from '../../src/clock.js'
import { VoiceStreamError } from '../../src/errors.js'
import { encodePacketEvent } from '../../src/feed/event-feed.js'
import type { CallState, CallView } from '../../src/protocol/call.js'
import { type CallId, decodeCallId } from '../../src/protocol/call-id.js'
import { type StartBody, textMedia } from '../../src/protocol/media.js'
import type { LegEnd, LifecycleEntry, Note, ReplyTo } from '../../src/store/journal.js'
import { analysed } from './analysed.js'
import { FakeClock } from './fake-clock.js'
import { HeldJournal } from './held-journal.js'

export const graceMs = 3000
export const idleMs = 900_000

export const callId = (text: string): CallId => decodeCallId(text)

/** What has become of a message; `answer` is set once it is answered. */
export interface Told<Answer> {
  state: 'waiting' | 'answered' | 'failed'
  answer: Answer | null
  error: VoiceStreamError | null
  readonly promise: Promise<Answer>
}

export function reply<Answer>(tell?: (outcome: string) => void): {
  told: Told<Answer>
  replyTo: ReplyTo<Answer>
} {
  let resolve!: (answer: Answer) => void
  let reject!: (error: VoiceStreamError) => void
  const promise = new Promise<Answer>((...settle) => {
    ;[resolve, reject] = settle
  })
  // Many tests look at the state instead of awaiting it.
  promise.catch(() => {})
  const told: Told<Answer> = { state: 'waiting', answer: null, error: null, promise }
  const settle = (state: 'answered' | 'failed', settled: () => void) => {
    if (told.state !== 'waiting') throw new Error(`told twice: ${told.state}, then ${state}`)
    told.state = state
    settled()
  }
  const replyTo: ReplyTo<Answer> = {
    answered: (answer) =>
      settle('answered', () => {
        told.answer = answer
        tell?.('answered')
        resolve(answer)
      }),
    failed: (error) =>
      settle('failed', () => {
        told.error = error
        tell?.(error.code)
        reject(error)
      }),
  }
  return { told, replyTo }
}

export function packetMessage(
  sequence: number,
  replyTo: ReplyTo<ReceiptFacts>,
  data = `packet ${sequence}`,
): PacketMessage {
  return {
    type: 'packet',
    packet: { sequence, data: Buffer.from(data), timestamp: 1_700_000_000 + sequence },
    replyTo,
  }
}

export class Calls {
  readonly clock: FakeClock
  readonly journal: HeldJournal
  readonly registry: CallRegistry
  /** Replies and events in the order in which they were told. */
  readonly story: string[] = []
  readonly events: UnplacedEvent[] = []
  readonly armed: { callId: CallId; dueAt: number }[] = []
  readonly analysesAsked: { callId: CallId; facts: AnalysisFacts }[] = []
  readonly stateChanges: { from: CallState | null; to: CallState }[] = []
  lateCount = 0
  readonly erasures: CallId[] = []
  readonly erasedIn: (CallState | null)[] = []
  readonly duplicates: number[] = []
  readonly blocks: BlockFacts[] = []
  readonly activationFailures: unknown[] = []
  readonly #check: DuplicateCheck

  constructor(
    journal = new HeldJournal(),
    clock = new FakeClock(),
    ports: Partial<Pick<CallPorts, 'arm' | 'analyse' | 'run'>> = {},
  ) {
    this.journal = journal
    this.#check = new DuplicateCheck({
      reader: journal,
      isThere: (life) => this.registry.isThere(life),
      differs: () => {},
      unchecked: () => {},
    })
    this.clock = clock
    this.registry = new CallRegistry(
      { journal, reader: journal, clock: this.clock, failed: (error) => this.activationFailures.push(error) },
      { ...this.#ports(), ...ports },
    )
  }

  #ports(): Omit<CallPorts, 'drop' | 'leave'> {
    return {
      journal: this.journal,
      clock: this.clock,
      graceMs,
      idleMs,
      legGraceMs: { stopped: 2000, closed: 30_000, lost: 30_000 },
      run: 'run-1',
      defaultMedia: textMedia,
      publish: (event) => {
        this.events.push(event)
        this.story.push(`event ${event.event}`)
      },
      publishPacket: (facts) => {
        const { position, ...event } = JSON.parse(encodePacketEvent(facts, 'placed'))
        assert.equal(position, 'placed')
        this.events.push(event)
        this.story.push(`event ${event.event} ${facts.sequence}`)
      },
      publishBlock: (facts) => {
        this.blocks.push(facts)
        this.story.push(`block ${facts.first}+${facts.accepted}`)
      },
      arm: (callId, dueAt) => this.armed.push({ callId, dueAt }),
      analyse: ({ callId }, facts) => this.analysesAsked.push({ callId, facts }),
      hear: () => 0,
      heard: () => {},
      changed: () => {},
      stateChanged: (from, to) => this.stateChanges.push({ from, to }),
      late: () => {
        this.lateCount++
      },
      erased: (id, state) => {
        this.erasures.push(id)
        this.erasedIn.push(state)
      },
      duplicate: (_, { sequence }) => this.duplicates.push(sequence),
      compare: (life, packet, replyTo) => {
        const { callId, createdAt } = life
        this.#check.compare(life, packet, (comparison) => {
          if (comparison instanceof VoiceStreamError) return replyTo.failed(comparison)
          this.registry.tell(callId, { type: 'compared', createdAt, packet, isSame: comparison, replyTo })
        })
      },
    }
  }

  packet(id: CallId, sequence: number, data?: string): Told<ReceiptFacts> {
    const { told, replyTo } = reply<ReceiptFacts>((outcome) =>
      this.story.push(`reply ${sequence} ${outcome === 'answered' ? told.answer?.status : outcome}`),
    )
    this.registry.tell(id, packetMessage(sequence, replyTo, data))
    return told
  }

  /** A block of so many packets of `bytes` each, whose bytes are their numbers. */
  block(id: CallId, track: number, sequence: number, count: number, bytes = 4): Told<BlockFacts> {
    const data = Uint8Array.from(
      { length: count * bytes },
      (_, at) => (sequence + Math.floor(at / bytes)) % 256,
    )
    const block = { track, sequence, count, data, isRaw: true, timestamp: 1_700_000_000 }
    return this.#tell<BlockFacts>(id, (replyTo) => ({ type: 'block', block, replyTo }))
  }

  leg(id: CallId, request: LegRequest): Told<LegAnswer> {
    return this.#tell<LegAnswer>(id, (replyTo) => ({ type: 'leg', request, replyTo }))
  }

  endLeg(
    id: CallId,
    leg: string,
    why: LegEnd,
    totals: readonly (number | null)[] | null = null,
  ): Told<boolean> {
    return this.#tell<boolean>(id, (replyTo) => ({ type: 'leg-end', leg, why, totals, replyTo }))
  }

  note(id: CallId, note: Note): Told<boolean> {
    return this.#tell<boolean>(id, (replyTo) => ({ type: 'note', note, replyTo }))
  }

  complete(id: CallId, totalPackets: number): Told<CompletionAnswer> {
    const { told, replyTo } = reply<CompletionAnswer>((outcome) =>
      this.story.push(`complete ${outcome === 'answered' ? told.answer : outcome}`),
    )
    this.registry.tell(id, { type: 'complete', totalPackets, replyTo })
    return told
  }

  describe(id: CallId, body: StartBody): Told<DescribeAnswer> {
    return this.#tell<DescribeAnswer>(id, (replyTo) => ({ type: 'describe', body, replyTo }))
  }

  redrive(id: CallId): Told<RedriveAnswer> {
    return this.#tell<RedriveAnswer>(id, (replyTo) => ({ type: 'redrive', replyTo }))
  }

  deadline(id: CallId): Told<void> {
    return this.#tell<void>(id, (replyTo) => ({ type: 'deadline', replyTo }))
  }

  /** As the analysis of the call that was created then. */
  record(
    id: CallId,
    entry: LifecycleEntry,
    createdAt: Millis = this.journal.createdAt.get(id) ?? 0,
  ): Told<boolean> {
    return this.#tell<boolean>(id, (replyTo) => ({ type: 'record', createdAt, entry, replyTo }))
  }

  erase(id: CallId, endedThrough: Millis | null = null): Told<ErasureAnswer> {
    return this.#tell<ErasureAnswer>(id, (replyTo) => ({ type: 'erase', endedThrough, replyTo }))
  }

  #tell<Answer>(id: CallId, message: (replyTo: ReplyTo<Answer>) => CallMessage): Told<Answer> {
    const { told, replyTo } = reply<Answer>()
    this.registry.tell(id, message(replyTo))
    return told
  }

  /** A look at the living call: brings it into memory, which `view` does not do for one whose snapshot is exact. */
  async activate(id: CallId): Promise<CallView | null> {
    let seen: CallView | null = null
    const look = (state: CallMachineSnapshot) => {
      seen = callView(state)
    }
    await this.#tell<void>(id, (replyTo) => ({ type: 'read', look, replyTo })).promise
    return seen
  }

  /** Time passes until every silent call has been passivated. */
  async fallSilent(): Promise<void> {
    this.registry.passivation.start()
    await this.clock.advance(62_000)
    this.registry.passivation.stop()
  }

  view(id: CallId): Promise<CallView | null> {
    return this.registry.read(id, callView)
  }

  look<T>(id: CallId, look: (state: CallMachineSnapshot) => T): Promise<T | null> {
    return this.registry.read(id, look)
  }

  /** Lives a call up to `state`, two packets in it, of three that were announced. */
  async bring(id: CallId, state: CallState): Promise<void> {
    const at = this.clock.now()
    await Promise.all([this.packet(id, 0).promise, this.packet(id, 2).promise])
    if (state === 'IN_PROGRESS') return
    await this.complete(id, 3).promise
    if (state === 'COMPLETED') return
    await this.record(id, { type: 'grace-over', at }).promise
    if (state === 'PROCESSING_AI') return
    await this.record(id, { type: 'attempt-started', at, attempt: 1, provider: 'fake' }).promise
    if (state === 'ARCHIVED') await this.record(id, await analysed(result, at)).promise
    else await this.record(id, { type: 'analysis-failed', at, error: 'no' }).promise
  }
}

export const result = { transcription: 'hello', sentiment: 'neutral', confidence: 0.5 } as const
