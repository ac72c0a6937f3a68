/**
 * Platform sockets, which send nothing twice, while the service is killed again and again. What is lost of a leg is its end, which
 * nobody was told of as stored, and every loss is a counted gap behind which the next leg begins.
 */
import { freePort } from '../support/asterisk.js'
import { FeedClient } from '../support/feed-client.js'
import { MediaReaders } from './media-readers.js'
import { frameMs, PlatformStreams, streamPacket } from './platform-streams.js'
import { randomOf } from './random.js'
import { packetsOf, readJson } from './read-media.js'
import { Connection } from './requests.js'
import { killHard, type Stage, sleep } from './stage.js'
import type { Verdict } from './verdict.js'

export interface StreamKillPlan {
  readonly seed: number
  readonly sockets: number
  readonly kills: number
}

/** Of each call something is told as stored before its kill; on a machine that is too busy for that the kill comes all the same. */
const storedMsMax = 5000
const killAfterMs = { first: 50, last: 900 }

/** Of one call in one run of the service: up to the kill, and what of it was stored. */
interface Leg {
  readonly sent: number
  readonly stored: number
}

export async function runStreamKills(stage: Stage, plan: StreamKillPlan): Promise<Verdict> {
  const random = randomOf(plan.seed)
  const options = {
    dataDir: stage.folder(),
    settings: { PORT: await freePort(), SOCKETS_PER_ADDRESS_MAX: plan.sockets + 10 },
  }
  let service = await stage.service(options)
  const readers = new MediaReaders(stage, () => service)
  const feed = new FeedClient(stage, service, { start: 'now' })
  await feed.live()
  const streams = new PlatformStreams(stage, service.port, { count: plan.sockets, packetBytes: 160 })
  const legs: Leg[][] = streams.calls.map(() => [])
  const findings: string[] = []
  let underLoad = 0
  for (let kill = 0; kill < plan.kills; kill++) {
    const toldBefore = toldOf(feed)
    await streams.begin()
    const isMore = (call: string) => (toldOf(feed).get(call) ?? 0) > (toldBefore.get(call) ?? 0)
    await feed.until(() => streams.calls.every(isMore), storedMsMax).catch(() => {})
    await sleep(random.integer(killAfterMs.first, killAfterMs.last))
    streams.pause()
    if (streams.calls.every(isMore)) underLoad++
    await killHard(service)
    const sent = [...streams.sent]
    const told = toldOf(feed)
    service = await stage.service(options)
    const connection = new Connection(service.port)
    for (const [index, call] of streams.calls.entries()) {
      const own = legs[index] as Leg[]
      const before = own.reduce((sum, leg) => sum + leg.stored, 0)
      const stored = ((await readJson(connection, `/v1/call/${call}`)).total_received as number) - before
      if (stored > (sent[index] as number)) findings.push(`${call}: more is stored than was sent`)
      if (before + stored < (told.get(call) ?? 0))
        findings.push(`${call}: ${told.get(call)} packets were told of as stored, and ${before + stored} are`)
      own.push({ sent: sent[index] as number, stored })
    }
    connection.close()
  }
  await streams.begin()
  await sleep(killAfterMs.last)
  streams.pause()
  streams.stop()
  await untilEnded(service.port, streams.calls)
  for (const [index, own] of legs.entries())
    own.push({ sent: streams.sent[index] as number, stored: streams.sent[index] as number })
  let packets = 0
  for (const [index, call] of streams.calls.entries()) {
    const found = await judge(service.port, call, index, legs[index] as Leg[])
    packets += found.packets
    findings.push(...found.findings)
  }
  await readers.stop()
  feed.client.dispose()
  await killHard(service)
  const lost = legs.flat().map((leg) => leg.sent - leg.stored)
  return {
    counts: { sockets: plan.sockets, packets, told: [...toldOf(feed).values()].length, reads: readers.reads },
    notes: {
      lost: lost.reduce((sum, count) => sum + count, 0),
      mostLostMs: Math.max(0, ...lost) * frameMs,
    },
    faults: underLoad,
    findings: findings.slice(0, 20),
  }
}

function toldOf({ events }: FeedClient): ReadonlyMap<string, number> {
  const told = new Map<string, number>()
  for (const event of events)
    if (event.event === 'packets_received')
      told.set(event.call_id, (told.get(event.call_id) ?? 0) + event.count)
  return told
}

async function untilEnded(port: number, calls: readonly string[]): Promise<void> {
  const connection = new Connection(port)
  for (const call of calls)
    for (let look = 0; look < 500; look++) {
      const { legs } = await readJson(connection, `/v1/call/${call}`)
      if (legs.every(({ ended_at }: { ended_at: string | null }) => ended_at !== null)) break
      await sleep(20)
    }
  connection.close()
}

interface LegView {
  readonly leg: string
  readonly tracks: readonly { readonly first_sequence: number }[]
}

/** Of 20 ms: a killed service is away for longer, whatever was lost with it. */
const outagePacketsMin = 5

/** Each leg's packets stand from its base on, as they were sent; between two legs is a gap for all that was lost. */
async function judge(
  port: number,
  call: string,
  stream: number,
  legs: readonly Leg[],
): Promise<{ readonly packets: number; readonly findings: readonly string[] }> {
  const connection = new Connection(port)
  const view = await readJson(connection, `/v1/call/${call}`)
  connection.close()
  // A leg of which nothing was committed is not there: its packets are lost with it.
  const bases = new Map<number, number>()
  for (const { leg, tracks } of view.legs as readonly LegView[])
    bases.set(Number(/^MZ(\d+)-/.exec(leg)?.[1]), tracks[0]?.first_sequence ?? 0)
  const findings: string[] = []
  const stored = new Map<number, Buffer>()
  let doubled = 0
  for await (const { sequence, data } of packetsOf(port, call)) {
    if (stored.has(sequence)) doubled++
    stored.set(sequence, data)
  }
  if (doubled > 0) findings.push(`${call}: ${doubled} packets are there twice`)
  let expected = 0
  let lost = 0
  let end = 0
  for (const [leg, { sent, stored: count }] of legs.entries()) {
    const base = bases.get(leg)
    if (base === undefined) {
      if (count > 0) findings.push(`${call}: leg ${leg} has ${count} packets, and is not there`)
      lost += sent
      continue
    }
    // The clock of the service has seen them pass; a packet at either end is a matter of rounding.
    if (expected > 0 && base - end < Math.max(outagePacketsMin, lost * 0.9 - 2))
      findings.push(`${call}: ${lost} packets before leg ${leg} are lost, and ${base - end} are counted`)
    for (let at = 0; at < count; at++)
      if (!stored.get(base + at)?.equals(streamPacket(stream, leg, at)))
        findings.push(`${call}: packet ${at} of leg ${leg} is not there as it was sent`)
    expected += count
    lost = sent - count
    end = base + count
  }
  if (stored.size !== expected)
    findings.push(`${call}: ${stored.size} packets are stored instead of ${expected}`)
  const missing = view.highest_sequence + 1 - stored.size
  if (view.missing_count !== missing)
    findings.push(`${call}: ${view.missing_count} packets are said to be missing, and ${missing} are`)
  return { packets: stored.size, findings: findings.slice(0, 3) }
}
