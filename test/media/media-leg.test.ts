/**
 * One leg, with a call that settles when the test says so. Guards against packets that are gone after a failed commit (V6), a leg
 * that ends before its last packet is on disk, one that is never done, and memory without a bound while the disk is stuck (V7).
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BlockMessage, CallMessage, LegAnswer } from '../../src/actors/call-messages.js'
import { VoiceStreamError } from '../../src/errors.js'
import { limits } from '../../src/limits.js'
import type { MediaEvent } from '../../src/media/dialect.js'
import { MediaLeg } from '../../src/media/media-leg.js'
import type { Note } from '../../src/store/journal.js'
import { callId } from '../support/calls.js'
import { FakeClock } from '../support/fake-clock.js'
import { settle } from '../support/settled-blocks.js'

const media = { encoding: 'mulaw', sample_rate: 8000, channels: 1 } as const
const failure = new VoiceStreamError('commit_failed', 'the disk is full')

class Trial {
  readonly clock = new FakeClock()
  readonly held = { bytes: 0 }
  readonly messages: CallMessage[] = []
  readonly refusals: string[] = []
  readonly counts = { accepted: 0, duplicates: 0, rejected: 0, shed: 0 }
  ended = 0
  readonly leg: MediaLeg

  constructor(packetBytes: number | null = null) {
    this.leg = new MediaLeg(
      {
        clock: this.clock,
        held: this.held,
        tell: (_, message) => void this.messages.push(message),
        refused: (why) => void this.refusals.push(why),
        ended: () => void this.ended++,
        counted: (count, packets) => {
          this.counts[count] += packets
        },
        settledAfter: () => {},
      },
      {
        callId: callId('c1'),
        leg: 'leg-1',
        dialect: 'twilio',
        event: {
          type: 'start',
          call: 'c1',
          leg: null,
          tracks: [{ name: 'inbound', media }],
          packetBytes,
          details: {},
          token: null,
          isProbe: false,
        },
        packetMs: 20,
        metadata: {},
        unsettledBytesMax: limits.legUnsettledBytesMax,
      },
    )
  }

  place(base = 0): void {
    this.answerLeg({ kind: 'started', createdAt: 1, tracks: [{ track: 0, base }] })
  }

  answerLeg(answer: LegAnswer): void {
    const message = this.messages.shift()
    assert(message?.type === 'leg')
    message.replyTo.answered(answer)
  }

  /** Those that are told and not taken off here yet. */
  blocks(): BlockMessage[] {
    const blocks = this.messages.filter((message) => message.type === 'block')
    this.messages.splice(0, this.messages.length, ...this.messages.filter(({ type }) => type !== 'block'))
    return blocks
  }

  notes(): Omit<Note, 'leg'>[] {
    return this.messages.flatMap((message) => {
      if (message.type !== 'note') return []
      const { leg: _, ...note } = message.note
      return [note]
    })
  }

  end(): Extract<CallMessage, { type: 'leg-end' }> | undefined {
    return this.messages.find((message) => message.type === 'leg-end')
  }
}

function audio(index: number | null, data = new Uint8Array(160).fill(index ?? 0)): MediaEvent {
  return { type: 'audio', track: 0, index, atMs: null, data, isBase64: false }
}

const sequences = (blocks: readonly BlockMessage[]) => blocks.map(({ block }) => block.sequence)

test('a packet is told with the number that its call gave the leg, and with data of its own', () => {
  const trial = new Trial()
  trial.place(500)
  const data = new Uint8Array(160).fill(7)
  trial.leg.take(audio(3, data))
  // The next message of the socket comes into the same memory.
  data.fill(9)
  const [told] = trial.blocks()
  assert.equal(told?.block.sequence, 503)
  assert.deepEqual(new Set(told?.block.data), new Set([7]))
  assert.equal(told?.block.data.length, 160)
})

test('what comes before the call has placed the leg is told in order once it has', () => {
  const trial = new Trial()
  for (const index of [0, 1, 2]) trial.leg.take(audio(index))
  assert.deepEqual(trial.blocks(), [])
  assert.equal(trial.held.bytes, 480)
  trial.place()
  assert.deepEqual(sequences(trial.blocks()), [0, 1, 2])
})

test('a packet of a failed commit is told again until it is settled, and the leg ends behind it', async () => {
  const trial = new Trial()
  trial.place()
  trial.leg.take(audio(0))
  trial.leg.stop('stopped', [1])
  for (let failures = 0; failures < 3; failures++) {
    const blocks = trial.blocks()
    assert.deepEqual(sequences(blocks), [0])
    for (const { replyTo } of blocks) replyTo.failed(failure)
    await trial.clock.advance(limits.legRetryMs)
  }
  assert.equal(trial.end(), undefined, 'a packet is not on disk')
  for (const block of trial.blocks()) settle(block)
  const end = trial.end()
  assert.deepEqual([end?.why, end?.totals], ['stopped', [1]])
  assert.equal(trial.ended, 0, 'its end is not on disk')
  end?.replyTo.answered(true)
  assert.deepEqual([trial.ended, trial.held.bytes, trial.counts.accepted], [1, 0, 1])
})

test('a packet that could not be stored for too long is a gap that the call is told of', async () => {
  const trial = new Trial()
  trial.place()
  trial.leg.take(audio(0))
  let told = 0
  for (let blocks = trial.blocks(); blocks.length > 0; blocks = trial.blocks()) {
    told += blocks.length
    for (const { replyTo } of blocks) replyTo.failed(failure)
    await trial.clock.advance(limits.legRetryMs)
  }
  assert.equal(told, limits.legUnsettledMsMax / limits.legRetryMs + 1)
  await trial.clock.advance(limits.legShedNoteMs)
  assert.deepEqual(trial.notes(), [{ kind: 'skipped', text: 'shed', packets: 1 }])
  assert.deepEqual([trial.counts.shed, trial.held.bytes], [1, 0])
})

test('what a leg holds while nothing is settled is bounded, and what is dropped is told once and counted', async () => {
  const trial = new Trial()
  trial.place()
  const fitting = Math.floor(limits.legUnsettledBytesMax / 160)
  let index = 0
  // At the pace that a leg may have, so that it is the bound of bytes which is met.
  for (; index < 2 * fitting; index++) {
    if (index % 10 === 0) await trial.clock.advance(20)
    trial.leg.take(audio(index))
  }
  const blocks = trial.blocks()
  assert.equal(blocks.length, fitting)
  assert(trial.held.bytes <= limits.legUnsettledBytesMax)
  for (const block of blocks) settle(block)
  await trial.clock.advance(limits.legShedNoteMs)
  const shed = trial.notes().reduce((sum, { packets = 0 }) => sum + packets, 0)
  assert.equal(shed, fitting)
  assert.equal(trial.counts.shed, fitting)
  // There is room again, and the numbers of what was dropped stay missing.
  trial.leg.take(audio(index))
  assert.deepEqual(sequences(trial.blocks()), [2 * fitting])
})

test('a leg that sends faster than a voice can is cut to its rate', async () => {
  const trial = new Trial()
  trial.place()
  const data = new Uint8Array(1)
  let index = 0
  const burst = () => {
    for (let count = 0; count < 2 * limits.legPacketsBurst; count++) trial.leg.take(audio(index++, data))
    const blocks = trial.blocks()
    for (const block of blocks) settle(block)
    return blocks.length
  }
  // At first as many as may have waited for its place in the call.
  assert.equal(burst(), limits.legPacketsBurst)
  await trial.clock.advance(1000)
  assert.equal(burst(), limits.legPacketsPerSecond)
  // A PBX that stood still sends all at once what it has kept.
  await trial.clock.advance(60_000)
  assert.equal(burst(), limits.legPacketsBurst)
})

test('a leg that its call refuses is done once, and holds nothing', () => {
  const trial = new Trial()
  trial.leg.take(audio(0))
  trial.answerLeg({ kind: 'grace-period-over' })
  assert.deepEqual([trial.refusals, trial.ended, trial.held.bytes], [['grace-period-over'], 1, 0])
  trial.leg.take(audio(1))
  trial.leg.stop('lost', null)
  assert.deepEqual([trial.blocks().length, trial.ended, trial.end()], [0, 1, undefined])
})

test('audio that nobody numbers is cut into packets, and its rest is the last one', () => {
  const trial = new Trial(160)
  trial.place()
  trial.leg.take(audio(null, new Uint8Array(250)))
  trial.leg.take(audio(null, new Uint8Array(100)))
  trial.leg.take({ type: 'skipped', track: 0, packets: 5, why: 'numbered' })
  trial.leg.take(audio(null, new Uint8Array(160)))
  trial.leg.stop('closed', null)
  const blocks = trial.blocks()
  assert.deepEqual(sequences(blocks), [0, 1, 7, 8])
  assert.deepEqual(
    blocks.map(({ block }) => block.data.length),
    [160, 160, 160, 30],
  )
  assert.deepEqual(trial.notes(), [{ kind: 'skipped', track: 0, text: 'numbered', packets: 5 }])
})
