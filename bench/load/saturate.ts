/**
 * The service at saturation: wrk over warmed-up calls, with what the kernel and the service itself count meanwhile.
 * A load of duplicates, or of something else than packets, would be measured just as happily; so the account must
 * agree: every answer was an accepted packet.
 */
import { counted, histogramBetween, type Readings, readMetrics } from '../measure/metrics-text.js'
import { processUse, type UseBetween, useBetween } from '../measure/proc.js'
import type { MeasuredServer } from '../stage/server.js'
import type { Stage } from '../stage/stage.js'
import { warmCalls } from './bulk.js'
import type { CallSet } from './packets.js'
import { runWrk, type WrkBuild, type WrkFigures } from './wrk.js'

/** With 64 a group commit is bound by latency, not by work. */
export const saturatingConnections = 256
/** What is in flight when wrk ends is stored, and counted by nobody there. */
const settleMs = 300

export interface Saturation {
  readonly wrk: WrkFigures
  readonly use: UseBetween
  /** Packets that were stored between the two looks. */
  readonly stored: number
  readonly before: Readings
  readonly after: Readings
}

export interface SaturationOptions {
  readonly seconds: number
  readonly set: CallSet
  readonly connections?: number
  /** The set has been warmed up by the caller. */
  readonly isWarm?: boolean
  readonly build?: WrkBuild
}

export async function saturate(
  stage: Stage,
  server: MeasuredServer,
  options: SaturationOptions,
): Promise<Saturation> {
  const { seconds, set, connections = saturatingConnections, isWarm = false, build } = options
  if (!isWarm) await warmCalls(server.url, set)
  const before = await readMetrics(server.url)
  const useBefore = processUse(server.pid)
  const wrk = await runWrk(stage, { port: server.port, connections, seconds, set, build })
  await new Promise((resolve) => setTimeout(resolve, settleMs))
  const use = useBetween(useBefore, processUse(server.pid))
  const after = await readMetrics(server.url)
  const stored = assertAccepted(before, after, { answers: wrk.requests, inFlightMax: connections })
  if (wrk.errors > 0) throw new Error(`wrk met ${wrk.errors} errors`)
  return { wrk, use, stored, before, after }
}

/** Calls that `warmCode` leaves behind. */
export const codeCalls = 8
const codeSeconds = 2

/** Lets the service compile what a packet runs through; what it does then is measured by nobody. */
export async function warmCode(stage: Stage, server: MeasuredServer): Promise<void> {
  await saturate(stage, server, { seconds: codeSeconds, set: newCallSet(codeCalls, 1) })
}

/** Returns how many packets were accepted. Throws when an answer was for anything else. */
export function assertAccepted(
  before: Readings,
  after: Readings,
  { answers, inFlightMax }: { answers: number; inFlightMax: number },
): number {
  const of = (status: string) => counted(before, after, `voicestream_packets_total{status="${status}"}`)
  const accepted = of('accepted')
  const others = ['duplicate', 'rejected', 'invalid'].map((status) => `${of(status)} ${status}`)
  if (
    answers === 0 ||
    accepted < answers ||
    accepted > answers + inFlightMax ||
    others.some((text) => !text.startsWith('0 '))
  )
    throw new Error(`${answers} answers, but ${accepted} packets accepted, ${others.join(', ')}`)
  return accepted
}

export function commitsBetween({ before, after }: { before: Readings; after: Readings }) {
  return {
    packets: histogramBetween(before, after, 'voicestream_commit_packets'),
    seconds: histogramBetween(before, after, 'voicestream_commit_seconds'),
  }
}

/** Names a set of calls that no load of this run has had. */
let sets = 0
export function newCallSet(calls: number, warmPackets = 64): CallSet {
  return { prefix: `load${++sets}`, calls, warmPackets }
}
