/**
 * Supervisors that are cut off all the time while packets pour in, and a service that is killed under them (P9): what
 * each of them is told is one run without a gap or a repeat, or it is told within a second that it is not.
 */

import { limits } from '../../src/limits.js'
import { FeedClient } from '../support/feed-client.js'
import { patience } from '../support/patience.js'
import type { Service } from '../support/service.js'
import { PacedLoad } from './paced-load.js'
import { randomOf } from './random.js'
import { Connection } from './requests.js'
import { killHard, type Stage, sleep } from './stage.js'
import { judgeStream } from './stream-oracle.js'
import type { Verdict } from './verdict.js'

export interface ResumePlan {
  readonly seed: number
  readonly reconnects: number
  readonly kills: number
  readonly packetsPerSecond: number
}

const clientCount = 3
const resetMsMax = 1000

export async function runResumes(stage: Stage, plan: ResumePlan): Promise<Verdict> {
  const random = randomOf(plan.seed)
  const dataDir = stage.folder()
  let service = await stage.service({ dataDir })
  const where = {
    get port() {
      return service.port
    },
  }
  const clients = Array.from({ length: clientCount }, () => connect(stage, where))
  for (const client of clients) await client.live()
  const load = new PacedLoad(stage, {
    service: where,
    packetsPerSecond: plan.packetsPerSecond,
    lanes: 12,
    name: 'run',
  })
  let kills = 0
  let cuts = 0
  const restarts = new Set(spread(plan.reconnects, plan.kills))
  while (cuts < plan.reconnects) {
    await sleep(random.integer(50, 250))
    // At any moment of its life: live, while it catches up, within a snapshot, before its first message.
    random.pick(clients).cut()
    cuts++
    if (!restarts.has(cuts)) continue
    await killHard(service)
    kills++
    service = await stage.service({ dataDir })
  }
  await sleep(500)
  await load.stop()
  const findings = await findingsAfter(clients, load.acknowledged)
  const resets = clients.reduce((sum, client) => sum + client.resets.length, 0)
  if (resets < kills) findings.push(`${resets} resets for ${kills} kills`)
  findings.push(...(await findingsOfEviction(stage, service)))
  const packets = clients.reduce((sum, { events }) => sum + events.length, 0)
  for (const { client } of clients) client.dispose()
  await killHard(service)
  return {
    counts: { reconnects: cuts, kills, packets: load.total, told: packets, resets },
    faults: cuts,
    findings,
  }
}

function connect(stage: Stage, service: { readonly port: number }): FeedClient {
  return new FeedClient(stage, service, { start: 'now', longestWaitMs: 100 })
}

function spread(over: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => Math.round(((i + 1) * over) / count))
}

/** Each client ends with what the driver had acknowledged, by one run of messages since its last reset. */
async function findingsAfter(
  clients: readonly FeedClient[],
  acknowledged: ReadonlyMap<string, number>,
): Promise<string[]> {
  const findings: string[] = []
  for (const [i, client] of clients.entries()) {
    const judged = () =>
      judgeStream(
        client.messages.map(({ message }) => message),
        true,
      )
    const isThrough = () => {
      const { totals } = judged()
      return [...acknowledged].every(([call, count]) => totals.get(call) === count)
    }
    for (let waitedMs = 0; waitedMs < 10_000 && !isThrough(); waitedMs += 250) await sleep(250)
    const { findings: ofStream, totals } = judged()
    findings.push(...ofStream.map((finding) => `client ${i}: ${finding}`))
    const wrong = [...acknowledged].filter(([call, count]) => totals.get(call) !== count)
    const [example] = wrong
    if (example !== undefined)
      findings.push(
        `client ${i}: gaps at the end: it knows ${totals.get(example[0])} of ${example[1]} packets of ${example[0]}, and ${wrong.length} such calls`,
      )
    // A cut within a snapshot asks for another one.
    const odd = client.resets.filter(({ reason }) => reason !== 'other_epoch' && reason !== 'requested')
    if (odd.length > 0) findings.push(`client ${i}: ${odd.length} resets as ${odd[0]?.reason}`)
    findings.push(...findingsOfDelay(client).map((finding) => `client ${i}: ${finding}`))
  }
  return findings
}

/** From the upgrade to the first message, which says whether the stream goes on. */
function findingsOfDelay({ messages, openedAt }: FeedClient): readonly string[] {
  const late = openedAt.filter((at) => {
    const first = messages.find((message) => message.at >= at)
    return first !== undefined && first.at - at > patience(resetMsMax)
  })
  return late.length === 0 ? [] : [`${late.length} connections heard nothing for ${resetMsMax} ms`]
}

/** So many events that a position is no longer held: its owner is told so, and not told on from somewhere. */
async function findingsOfEviction(stage: Stage, service: Service): Promise<readonly string[]> {
  const before = connect(stage, service)
  await before.live()
  const position = before.client.position as string
  before.client.dispose()
  const connection = new Connection(service.port)
  const each = 20_000
  for (let sent = 0; sent <= limits.feedSlots; sent += each) {
    const lines = Array.from({ length: each }, (_, i) =>
      JSON.stringify({ call_id: 'flood', sequence: sent + i, data: 'x', timestamp: 1_700_000_000 }),
    )
    const answer = await connection.post('/v1/packets', lines.join('\n'), 'application/x-ndjson')
    if (answer.kind !== 'answered' || answer.status !== 202)
      throw new Error(`a bulk request was answered ${JSON.stringify(answer).slice(0, 200)}`)
  }
  connection.close()
  const after = new FeedClient(stage, service, { start: { position } })
  await after.until(() => after.messages.length > 0, 5000).catch(() => {})
  const [first] = after.messages
  const waitedMs = (first?.at ?? Number.POSITIVE_INFINITY) - (after.openedAt[0] ?? 0)
  after.client.dispose()
  if (first?.message.event !== 'reset' || first.message.reason !== 'evicted')
    return [`an evicted position was answered ${JSON.stringify(first?.message ?? null).slice(0, 100)}`]
  return waitedMs > patience(resetMsMax) ? [`an evicted position was answered after ${waitedMs} ms`] : []
}
