/**
 * Packets of one call that leave together, more than the service takes (P4): every one is answered in time, what is
 * accepted is stored, and what is refused is told when to come back.
 */
import assert from 'node:assert/strict'
import type { RawAnswer, RawConnection } from '../support/raw-connection.js'
import { packet } from '../support/service.js'
import { HeldRequest } from './barrier.js'
import { readEverything } from './read-back.js'
import { epochMs } from './stage.js'

export interface BurstAnswer {
  readonly sequence: number
  /** Null: the connection broke, or none came. */
  readonly answer: RawAnswer | null
  readonly ms: number
}

export interface JudgedBurst {
  readonly accepted: readonly BurstAnswer[]
  readonly refused: readonly BurstAnswer[]
  readonly findings: readonly string[]
}

export function holdPacket(
  connection: RawConnection,
  call: string,
  { sequence, data }: { readonly sequence: number; readonly data: string },
): HeldRequest {
  const body = JSON.stringify(packet(sequence, data))
  const posting = { path: `/v1/call/stream/${call}`, contentType: 'application/json', body }
  return new HeldRequest(connection, posting, { isWhole: false })
}

/** The place of a packet in `held` is its sequence. */
export async function releaseTogether(held: readonly HeldRequest[]): Promise<readonly BurstAnswer[]> {
  const releasedAt = epochMs()
  for (const request of held) request.release()
  return Promise.all(
    held.map(async (request, sequence) => {
      const answer = await request.rawAnswer()
      return { sequence, answer, ms: epochMs() - releasedAt }
    }),
  )
}

/**
 * What the same burst takes without any commit, on this machine as busy as it is: the service refuses every packet when it
 * has read it. To be released on the connections of the burst itself.
 */
export async function undisturbedMs(
  connections: readonly RawConnection[],
  call: string,
  data: string,
): Promise<number> {
  const answers = await releaseTogether(
    connections.map((connection) => holdPacket(connection, call, { sequence: -1, data })),
  )
  const refused = answers.filter(({ answer }) => answer?.status === 422)
  assert(refused.length > answers.length / 2, 'the yardstick is a burst of requests that were read')
  return Math.max(...refused.map(({ ms }) => ms))
}

export async function storedSequences(port: number, call: string): Promise<ReadonlySet<number>> {
  const found = (await readEverything(port, [call])).find((known) => known.call === call)
  return new Set(found?.packets.map(({ sequence }) => sequence))
}

/** A 503 for want of time leaves open whether its packet is stored, so that is not judged here. */
export function judgeBurst(
  answers: readonly BurstAnswer[],
  stored: ReadonlySet<number>,
  answerMsMax: number,
): JudgedBurst {
  const accepted = answers.filter(({ answer }) => answer?.status === 202)
  const refused = answers.filter(({ answer }) => answer?.status === 503)
  const findings: string[] = []
  const find = (count: number, what: string) => count > 0 && findings.push(`${count} of the burst ${what}`)
  find(answers.length - accepted.length - refused.length, 'had neither 202 nor 503')
  find(refused.filter(({ answer }) => !answer?.headers.has('retry-after')).length, 'had no Retry-After')
  find(answers.filter(({ ms }) => ms > answerMsMax).length, `had no answer within ${answerMsMax} ms`)
  find(
    accepted.filter(({ sequence }) => !stored.has(sequence)).length,
    'were acknowledged and are not stored',
  )
  return { accepted, refused, findings }
}
