/**
 * Plays one call: what it is, its packets when they are due, the completion, then the late packets.
 *
 * A track awaits every answer before it sends the next packet, so the order of arrival is the order of sending. A service
 * that is slower than the asked speed slows the call down; nothing is skipped.
 */
import { type CallTruth, compareReceipt } from './account.js'
import type { SimulatorClock } from './clock.js'
import { SimulateError } from './errors.js'
import type { CallPlan } from './impairment.js'
import { packetMs } from './limits.js'
import { type AudioPacket, bodyOf, timestampOf } from './packets.js'
import { SendLog } from './send-log.js'
import { decodeReceipt, readProblemDetail } from './service-answers.js'
import { type ServiceClient, sleepUnlessAborted } from './service-client.js'
import { type CallCounts, noteDifference, type Playing, type SimulatedCall } from './simulated-call.js'

/** One row of numbers of a call. */
interface PlannedTrack {
  readonly plan: CallPlan
  readonly log: SendLog
  readonly packets: readonly AudioPacket[]
  /** The packets before the completion that were answered, repetitions counted. */
  liveAnswered: number
  /** How far these came, in packet times. */
  playedTicks: number
}

/** A call over HTTP. */
export class HttpCall implements SimulatedCall {
  readonly callId: string
  readonly tracks: readonly PlannedTrack[]
  /** Unix time of sequence 0, in milliseconds. */
  readonly startWallMs: number
  readonly differences: SimulatedCall['differences'] = []
  playing: Playing = { kind: 'playing' }
  /** When the last live packet was answered, in the clock's milliseconds. */
  liveEndMs: number | null = null

  constructor(request: {
    callId: string
    tracks: readonly { readonly plan: CallPlan; readonly packets: readonly AudioPacket[] }[]
    startWallMs: number
  }) {
    this.callId = request.callId
    this.startWallMs = request.startWallMs
    this.tracks = request.tracks.map(({ plan, packets }) => ({
      plan,
      packets,
      log: new SendLog(packets.length),
      liveAnswered: 0,
      playedTicks: 0,
    }))
  }

  get counts(): CallCounts {
    const sum = (figure: (log: SendLog) => number) =>
      this.tracks.reduce((total, { log }) => total + figure(log), 0)
    return {
      sent: sum((log) => log.answeredSends),
      accepted: sum((log) => log.storedCount),
      duplicate: sum((log) => log.duplicateAnswers),
      late: sum((log) => log.lateCount),
      missing: sum((log) => log.missingCount),
      rejected: sum((log) => log.rejectedAnswers),
      unansweredTries: sum((log) => log.unansweredTries),
    }
  }

  isSettled(): boolean {
    return true
  }

  truthOf(): CallTruth {
    return {
      tracks: this.tracks.map(({ log, packets }, track) => ({
        track,
        account: log,
        isTotalSaid: true,
        expectedPacket: (sequence) => ({
          data: packets[sequence]?.data ?? '',
          timestamp: timestampOf(this.startWallMs, sequence),
        }),
      })),
      duplicates: {
        least: this.tracks.reduce((total, { log }) => total + log.duplicates.least, 0),
        most: this.tracks.reduce((total, { log }) => total + log.duplicates.most, 0),
      },
      misplaced: [],
    }
  }
}

export interface Line {
  readonly client: ServiceClient
  readonly clock: SimulatorClock
  readonly signal: AbortSignal
  /** What the service is told of the call. */
  readonly startBody: string
  /** A multiple of real time. */
  readonly speed: number
  /** The service's grace period: it may not reject a late packet before that. */
  readonly graceMs: number
  /** When the call's sequence 0 is due, in the clock's milliseconds. */
  readonly startMs: number
}

/** Never throws what the simulator expects to go wrong: that is told by `call.playing`. */
export async function playCall(call: HttpCall, line: Line): Promise<void> {
  try {
    await startCall(call, line)
    await Promise.all(call.tracks.map((_, track) => playLive(call, line, track)))
    const completionSentAtMs = line.clock.nowMs()
    await completeCall(call, line)
    for (const [track, { plan }] of call.tracks.entries())
      for (const sequence of plan.late) await sendPacket(call, line, { track, sequence, completionSentAtMs })
    call.playing = { kind: 'played' }
  } catch (error) {
    if (!(error instanceof SimulateError)) throw error
    call.playing = { kind: 'broken off', error }
  }
}

/** A service from before there was a start knows no such route; it is optional. */
async function startCall({ callId }: HttpCall, line: Line): Promise<void> {
  stopIfInterrupted(line)
  const path = `/v1/call/start/${encodeURIComponent(callId)}`
  const answer = await line.client.send({ method: 'POST', path, body: line.startBody })
  if (answer.status !== 202 && answer.status !== 404)
    throw new SimulateError(
      'breach',
      `the start got ${answer.status} ${readProblemDetail(answer.body)}`.trim(),
    )
}

async function playLive(call: HttpCall, line: Line, track: number): Promise<void> {
  const played = trackOf(call, track)
  const { live, dueTicks } = played.plan
  for (let index = 0; index < live.length; index++) {
    const dueTick = dueTicks[index] ?? 0
    const waitMs = line.startMs + (dueTick * packetMs) / line.speed - line.clock.nowMs()
    if (waitMs > 0) await sleepUnlessAborted({ ms: waitMs, clock: line.clock, signal: line.signal })
    await sendPacket(call, line, { track, sequence: live[index] ?? 0, completionSentAtMs: null })
    played.liveAnswered++
    played.playedTicks = dueTick + 1
    call.liveEndMs = line.clock.nowMs()
  }
}

function trackOf(call: HttpCall, track: number): PlannedTrack {
  const found = call.tracks[track]
  if (found === undefined) throw new RangeError(`no track ${track}`)
  return found
}

async function sendPacket(
  call: HttpCall,
  line: Line,
  sent: { track: number; sequence: number; completionSentAtMs: number | null },
): Promise<void> {
  stopIfInterrupted(line)
  const { track, sequence, completionSentAtMs } = sent
  const { packets, log } = trackOf(call, track)
  const packet = packets[sequence]
  if (packet === undefined) throw new RangeError(`no packet ${sequence}`)
  const what = call.tracks.length === 1 ? `packet ${sequence}` : `track ${track}: packet ${sequence}`
  const answer = await line.client.send({
    method: 'POST',
    path: `/v1/call/stream/${encodeURIComponent(call.callId)}`,
    body: bodyOf(packet, timestampOf(call.startWallMs, sequence)),
  })
  if (answer.status !== 202 && answer.status !== 409)
    throw new SimulateError('breach', `${what} got ${answer.status} ${readProblemDetail(answer.body)}`.trim())
  const receipt = decodeReceipt(answer.body)
  if ((receipt.verdict === 'rejected') !== (answer.status === 409))
    throw new SimulateError('breach', `${what} got ${answer.status} with the status ${receipt.verdict}`)
  const fault = log.recordAnswer(sequence, receipt.verdict, answer.unansweredTries)
  if (fault !== null) noteDifference(call, { what, expected: 'the right status', found: fault })
  for (const difference of compareReceipt(log, sequence, receipt)) noteDifference(call, difference)
  // The service's grace period began after the completion left here and had ended before this answer came.
  const sinceCompletionMs = completionSentAtMs === null ? Infinity : line.clock.nowMs() - completionSentAtMs
  if (receipt.verdict === 'rejected' && sinceCompletionMs < line.graceMs)
    noteDifference(call, {
      what,
      expected: `accepted for ${line.graceMs} ms after the completion`,
      found: `rejected after ${Math.round(sinceCompletionMs)} ms`,
    })
}

async function completeCall(call: HttpCall, line: Line): Promise<void> {
  stopIfInterrupted(line)
  const answer = await line.client.send({
    method: 'POST',
    path: `/v1/call/complete/${encodeURIComponent(call.callId)}`,
    body: totalsOf(call),
  })
  if (answer.status !== 202)
    throw new SimulateError(
      'breach',
      `the completion got ${answer.status} ${readProblemDetail(answer.body)}`.trim(),
    )
  for (const { log } of call.tracks) log.recordCompletion()
}

function totalsOf({ tracks }: HttpCall): string {
  const totals = tracks.map(({ log }) => log.packetCount)
  return JSON.stringify(totals.length === 1 ? { total_packets: totals[0] } : { totals: { ...totals } })
}

function stopIfInterrupted({ signal }: Line): void {
  if (signal.aborted) throw new SimulateError('interrupted', 'ended by the user')
}
