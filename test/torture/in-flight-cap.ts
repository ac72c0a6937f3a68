/**
 * More requests at once than the service takes (P4): what is over the cap is refused with a time to come back, what is
 * under it is stored, and afterwards there is room again.
 */
import { limits } from '../../src/limits.js'
import { Lane } from './barrier.js'
import { holdPacket, judgeBurst, releaseTogether, storedSequences, undisturbedMs } from './burst.js'
import { mebibytes, residentOf } from './memory.js'
import { killHard, type Stage } from './stage.js'
import type { Verdict } from './verdict.js'

export interface InFlightPlan {
  /** Requests over the cap. */
  readonly surplus: number
}

const call = 'crowd'
const data = 'x'
/** The deadline that the service has for itself: sending 8,000 requests at once takes the driver its time, too. */
const answerMsMax = 10_000

export async function runOverInFlightCap(stage: Stage, { surplus }: InFlightPlan): Promise<Verdict> {
  const service = await stage.service({ dataDir: stage.folder() })
  const { bytes: before } = residentOf(service.child.pid as number)
  const lane = new Lane(service.port)
  const connections = await lane.connections(limits.requestsInFlightMax + surplus)
  const yardstickMs = await undisturbedMs(connections, call, data)
  const held = connections.map((connection, sequence) => holdPacket(connection, call, { sequence, data }))
  const answers = await releaseTogether(held)
  lane.close()
  const grownBytes = residentOf(service.child.pid as number).peakBytes - before
  const stored = await storedSequences(service.port, call)
  const { accepted, refused, findings } = judgeBurst(answers, stored, answerMsMax)
  const again = await sendAgain(service.port, refused[0]?.sequence ?? 0)
  await killHard(service)

  // The service's own deadline: such a packet may be stored, and its sender sends it again.
  const timedOut = refused.filter(({ answer }) => answer?.body.includes('problem:timed_out'))
  const kept = refused.filter((burst) => stored.has(burst.sequence) && !timedOut.includes(burst)).length
  const isQuick = yardstickMs < limits.answerMsMax / 3
  return {
    counts: { accepted: accepted.length, refused: refused.length },
    notes: { growthMebibytes: mebibytes(grownBytes), yardstickMs, timedOut: timedOut.length },
    faults: refused.length - timedOut.length,
    findings: [
      ...findings,
      ...(kept > 0 ? [`${kept} of the burst were refused and stored`] : []),
      ...(isQuick && timedOut.length > 0
        ? [
            `${timedOut.length} of the burst met the deadline, where reading all of it takes ${yardstickMs} ms`,
          ]
        : []),
      ...(again !== 202 ? [`a refused packet that was sent again was answered ${again}`] : []),
    ],
  }
}

async function sendAgain(port: number, sequence: number): Promise<number> {
  const lane = new Lane(port)
  const [connection] = await lane.connections(1)
  const request = holdPacket(connection as NonNullable<typeof connection>, call, { sequence, data })
  request.release()
  const answer = await request.rawAnswer()
  lane.close()
  return answer?.status ?? 0
}
