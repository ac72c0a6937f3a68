/**
 * Plays one call: what it is, its packets when they are due, the completion, then the late packets.
 *
 * It awaits every answer before it sends the next packet, so the order of arrival is the order of sending. A service
 * that is slower than the asked speed slows the call down; nothing is skipped.
 */
import { compareReceipt, type Difference } from './account.js'
import type { SimulatorClock } from './clock.js'
import { SimulateError } from './errors.js'
import type { CallPlan } from './impairment.js'
import { differencesKept, packetMs } from './limits.js'
import { type AudioPacket, bodyOf, timestampOf } from './packets.js'
import { SendLog } from './send-log.js'
import { decodeReceipt, readProblemDetail } from './service-answers.js'
import { type ServiceClient, sleepUnlessAborted } from './service-client.js'

/** How the playing of a call ended. Only the account of a call that was `played` can be held against the service's. */
export type Playing = { kind: 'playing' } | { kind: 'played' } | { kind: 'broken off'; error: SimulateError }

export interface SimulatedCall {
  readonly callId: string
  readonly plan: CallPlan
  readonly log: SendLog
  /** Unix time of sequence 0, in milliseconds. */
  readonly startWallMs: number
  /** What was wrong with the answers, the first few. */
  readonly differences: Difference[]
  playing: Playing
  /** The packets before the completion that were answered, repetitions counted. */
  liveAnswered: number
  /** How far these came, in packet times. */
  playedTicks: number
  /** When the last live packet was answered, in the clock's milliseconds. */
  liveEndMs: number | null
}

export interface Line {
  readonly client: ServiceClient
  readonly clock: SimulatorClock
  readonly signal: AbortSignal
  readonly packets: readonly AudioPacket[]
  /** What the service is told that they carry, if it can be told. */
  readonly startBody: string | null
  /** A multiple of real time. */
  readonly speed: number
  /** The service's grace period: it may not reject a late packet before that. */
  readonly graceMs: number
  /** When the call's sequence 0 is due, in the clock's milliseconds. */
  readonly startMs: number
}

export function createCall(request: {
  callId: string
  plan: CallPlan
  packetCount: number
  startWallMs: number
}): SimulatedCall {
  const { callId, plan, packetCount, startWallMs } = request
  const log = new SendLog(packetCount)
  const playing: Playing = { kind: 'playing' }
  return {
    callId,
    plan,
    log,
    startWallMs,
    differences: [],
    playing,
    liveAnswered: 0,
    playedTicks: 0,
    liveEndMs: null,
  }
}

/** Never throws what the simulator expects to go wrong: that is told by `call.playing`. */
export async function playCall(call: SimulatedCall, line: Line): Promise<void> {
  try {
    await startCall(call, line)
    await playLive(call, line)
    const completionSentAtMs = line.clock.nowMs()
    await completeCall(call, line)
    for (const sequence of call.plan.late) await sendPacket(call, line, { sequence, completionSentAtMs })
    call.playing = { kind: 'played' }
  } catch (error) {
    if (!(error instanceof SimulateError)) throw error
    call.playing = { kind: 'broken off', error }
  }
}

/** A service from before there was a start knows no such route; it is optional. */
async function startCall({ callId }: SimulatedCall, line: Line): Promise<void> {
  if (line.startBody === null) return
  stopIfInterrupted(line)
  const path = `/v1/call/start/${encodeURIComponent(callId)}`
  const answer = await line.client.send({ method: 'POST', path, body: line.startBody })
  if (answer.status !== 202 && answer.status !== 404)
    throw new SimulateError(
      'breach',
      `the start got ${answer.status} ${readProblemDetail(answer.body)}`.trim(),
    )
}

async function playLive(call: SimulatedCall, line: Line): Promise<void> {
  const { live, dueTicks } = call.plan
  for (let index = 0; index < live.length; index++) {
    const dueTick = dueTicks[index] ?? 0
    const waitMs = line.startMs + (dueTick * packetMs) / line.speed - line.clock.nowMs()
    if (waitMs > 0) await sleepUnlessAborted({ ms: waitMs, clock: line.clock, signal: line.signal })
    await sendPacket(call, line, { sequence: live[index] ?? 0, completionSentAtMs: null })
    call.liveAnswered++
    call.playedTicks = dueTick + 1
    call.liveEndMs = line.clock.nowMs()
  }
}

async function sendPacket(
  call: SimulatedCall,
  line: Line,
  { sequence, completionSentAtMs }: { sequence: number; completionSentAtMs: number | null },
): Promise<void> {
  stopIfInterrupted(line)
  const packet = line.packets[sequence]
  if (packet === undefined) throw new RangeError(`no packet ${sequence}`)
  const answer = await line.client.send({
    method: 'POST',
    path: `/v1/call/stream/${encodeURIComponent(call.callId)}`,
    body: bodyOf(packet, timestampOf(call.startWallMs, sequence)),
  })
  if (answer.status !== 202 && answer.status !== 409)
    throw new SimulateError(
      'breach',
      `packet ${sequence} got ${answer.status} ${readProblemDetail(answer.body)}`.trim(),
    )
  const receipt = decodeReceipt(answer.body)
  if ((receipt.verdict === 'rejected') !== (answer.status === 409))
    throw new SimulateError(
      'breach',
      `packet ${sequence} got ${answer.status} with the status ${receipt.verdict}`,
    )
  const fault = call.log.recordAnswer(sequence, receipt.verdict, answer.unansweredTries)
  if (fault !== null)
    noteDifference(call, { what: `packet ${sequence}`, expected: 'the right status', found: fault })
  for (const difference of compareReceipt(call.log, sequence, receipt)) noteDifference(call, difference)
  // The service's grace period began after the completion left here and had ended before this answer came.
  const sinceCompletionMs = completionSentAtMs === null ? Infinity : line.clock.nowMs() - completionSentAtMs
  if (receipt.verdict === 'rejected' && sinceCompletionMs < line.graceMs)
    noteDifference(call, {
      what: `packet ${sequence}`,
      expected: `accepted for ${line.graceMs} ms after the completion`,
      found: `rejected after ${Math.round(sinceCompletionMs)} ms`,
    })
}

async function completeCall(call: SimulatedCall, line: Line): Promise<void> {
  stopIfInterrupted(line)
  const answer = await line.client.send({
    method: 'POST',
    path: `/v1/call/complete/${encodeURIComponent(call.callId)}`,
    body: `{"total_packets":${call.log.packetCount}}`,
  })
  if (answer.status !== 202)
    throw new SimulateError(
      'breach',
      `the completion got ${answer.status} ${readProblemDetail(answer.body)}`.trim(),
    )
  call.log.recordCompletion()
}

function stopIfInterrupted({ signal }: Line): void {
  if (signal.aborted) throw new SimulateError('interrupted', 'ended by the user')
}

function noteDifference(call: SimulatedCall, difference: Difference): void {
  if (call.differences.length < differencesKept) call.differences.push(difference)
}
