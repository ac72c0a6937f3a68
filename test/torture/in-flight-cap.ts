/**
 * More requests at once than the service takes (P4): what is over the cap is refused with a time to come back, what is
 * under it is stored, and afterwards there is room again.
 */
import { limits } from '../../src/limits.js'
import { HeldRequest, Lane } from './barrier.js'
import { mebibytes, residentOf } from './memory.js'
import { readEverything } from './read-back.js'
import { epochMs, killHard, type Stage } from './stage.js'
import type { Verdict } from './verdict.js'

export interface InFlightPlan {
  /** Requests over the cap. */
  readonly surplus: number
}

const call = 'crowd'
/** The deadline that the service has for itself: sending 8,000 requests at once takes the driver its time, too. */
const answerMsMax = 10_000

export async function runOverInFlightCap(stage: Stage, { surplus }: InFlightPlan): Promise<Verdict> {
  const service = await stage.service({ dataDir: stage.folder() })
  const { bytes: before } = residentOf(service.child.pid as number)
  const lane = new Lane(service.port)
  const connections = await lane.connections(limits.requestsInFlightMax + surplus)
  const held = connections.map((connection, sequence) => {
    const body = JSON.stringify({ sequence, data: 'x', timestamp: 1_700_000_000 })
    const posting = { path: `/v1/call/stream/${call}`, contentType: 'application/json', body }
    return new HeldRequest(connection, posting, { isWhole: false })
  })
  const releasedAt = epochMs()
  for (const request of held) request.release()
  const answers = await Promise.all(
    held.map(async (request, sequence) => {
      const answer = await request.rawAnswer()
      return { sequence, answer, ms: epochMs() - releasedAt }
    }),
  )
  lane.close()
  const grownBytes = residentOf(service.child.pid as number).peakBytes - before
  const accepted = answers.filter(({ answer }) => answer?.status === 202)
  const refused = answers.filter(({ answer }) => answer?.status === 503)
  const [found] = await readEverything(service.port, [call])
  const stored = new Set(found?.packets.map(({ sequence }) => sequence))
  const again = await sendAgain(service.port, refused[0]?.sequence ?? 0)
  await killHard(service)

  const findings: string[] = []
  const find = (count: number, what: string) => count > 0 && findings.push(`${count} requests ${what}`)
  find(answers.length - accepted.length - refused.length, 'had neither 202 nor 503')
  find(refused.filter(({ answer }) => !answer?.headers.has('retry-after')).length, 'had no Retry-After')
  find(answers.filter(({ ms }) => ms > answerMsMax).length, `had no answer within ${answerMsMax} ms`)
  find(accepted.filter(({ sequence }) => !stored.has(sequence)).length, 'were lost')
  find(refused.filter(({ sequence }) => stored.has(sequence)).length, 'were refused and stored')
  if (again !== 202) findings.push(`a refused packet that was sent again was answered ${again}`)
  return {
    counts: { accepted: accepted.length, refused: refused.length },
    notes: { growthMebibytes: mebibytes(grownBytes) },
    faults: refused.length,
    findings,
  }
}

async function sendAgain(port: number, sequence: number): Promise<number> {
  const lane = new Lane(port)
  const [connection] = await lane.connections(1)
  const body = JSON.stringify({ sequence, data: 'x', timestamp: 1_700_000_000 })
  const posting = { path: `/v1/call/stream/${call}`, contentType: 'application/json', body }
  const request = new HeldRequest(connection as NonNullable<typeof connection>, posting, { isWhole: true })
  request.release()
  const answer = await request.rawAnswer()
  lane.close()
  return answer?.status ?? 0
}
