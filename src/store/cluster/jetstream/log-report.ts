/**
 * Is the log as nodes need it? What the engine does not know of a configuration it ignores silently, and whether its servers sync
 * each message it does not say to clients: so its answers are read back, and every server is asked at its monitoring address.
 *
 * A fault is a reason not to start a node, in one line. A server that is down is none: nodes must start without it.
 */
import { messageOf } from '../../../errors.js'
import { limits } from '../../../limits.js'
import { quoted } from '../../../quoted.js'
import { messageFormat } from '../message.js'
import type { Engine } from './engine.js'
import { faultsOf, findStream, markOf, replicas, type StreamInfo } from './stream.js'

/** Since then a server syncs once for all appends that it takes together, and guards are kept also while its leader changes. */
const versionMin = [2, 15, 0] as const
const majority = Math.floor(replicas / 2) + 1
const askMs = 2000

export interface ServerReport {
  readonly name: string
  readonly version: string
  readonly maxPayload: number
  /** Null where only its monitoring address would say so, and was not given. */
  readonly syncsEach: boolean | null
}

export interface ReplicaReport {
  readonly name: string
  readonly isLeader: boolean
  readonly isOnline: boolean
  /** Messages that it has not stored yet. */
  readonly lag: number
}

export interface LogReport {
  readonly stream: string
  readonly base: string
  readonly first: number
  readonly last: number
  readonly bytes: number
  readonly bytesMax: number
  readonly servers: readonly ServerReport[]
  readonly replicas: readonly ReplicaReport[]
  readonly faults: readonly string[]
  readonly warnings: readonly string[]
}

export interface ReportQuestion {
  readonly stream: string
  /** Like `http://host:8222`, one for each server. */
  readonly monitors: readonly string[]
  /** Whether the servers sync each message is not known, and is taken on trust. */
  readonly acceptsUnknownSync: boolean
}

export interface ServersReport {
  readonly servers: readonly ServerReport[]
  readonly faults: readonly string[]
  readonly warnings: readonly string[]
}

/** What must be true of the servers, whatever is stored on them. */
export async function reportServers(
  engine: Engine,
  { monitors, acceptsUnknownSync }: Omit<ReportQuestion, 'stream'>,
): Promise<ServersReport> {
  const warnings: string[] = []
  const asked = await Promise.all(
    monitors.map((url) =>
      askServer(url).catch((error: unknown) => {
        warnings.push(`${url} does not answer: ${messageOf(error)}`)
        return null
      }),
    ),
  )
  const answered = new Map(asked.flatMap((report) => (report === null ? [] : [[report.name, report]])))
  const servers = [{ ...engine.server, syncsEach: null }, ...answered.values()]
    // Where it was asked itself, that says more.
    .filter(({ name, syncsEach }) => syncsEach !== null || !answered.has(name))
    .sort((a, b) => a.name.localeCompare(b.name))
  const faults = servers.flatMap(faultsOfServer)
  const known = [...answered.values()].filter(({ syncsEach }) => syncsEach === true).length
  if (known < majority) {
    const fact = `${known} of ${replicas} servers say that they sync each message`
    if (acceptsUnknownSync) warnings.push(`${fact}; acknowledged packets may be lost in a power cut`)
    else faults.push(`${fact}; give the monitoring addresses of at least ${majority}`)
  }
  return { servers, faults, warnings }
}

/** Of the log and its servers. */
export async function reportLog(engine: Engine, question: ReportQuestion): Promise<LogReport> {
  const { stream } = question
  const servers = await reportServers(engine, question)
  const info = await findStream(engine, stream)
  if (info === null) {
    const nothing = { base: '', first: 1, last: 0, bytes: 0, bytesMax: 0, replicas: [] }
    const fault = `there is no stream ${quoted(stream)}; make it with voicestream cluster init`
    return { ...servers, ...nothing, stream, faults: [...servers.faults, fault] }
  }
  const copies = replicasOf(info)
  const { first_seq, last_seq, bytes } = info.state
  return {
    stream,
    base: markOf(info).base,
    first: Math.max(first_seq, 1),
    last: last_seq,
    bytes,
    bytesMax: info.config.max_bytes,
    servers: servers.servers,
    replicas: copies,
    faults: [...servers.faults, ...faultsOfStream(stream, info)],
    warnings: [...servers.warnings, ...copies.flatMap(warningsOfReplica)],
  }
}

function faultsOfServer({ name, version, maxPayload, syncsEach }: ServerReport): string[] {
  const payloadMin = limits.logMessageBytesMax + limits.logHeaderBytesMax
  return [
    ...(isNewEnough(version)
      ? []
      : [`server ${name} is version ${version}, and ${versionMin.join('.')} is needed`]),
    ...(maxPayload >= payloadMin
      ? []
      : [`server ${name} has max_payload ${maxPayload}, and ${payloadMin} is needed (17MB)`]),
    ...(syncsEach === false ? [`server ${name} does not sync each message; set sync_interval: always`] : []),
  ]
}

export function isNewEnough(version: string): boolean {
  const [, ...found] = /^(\d+)\.(\d+)\.(\d+)/.exec(version) ?? []
  if (found.length === 0) return false
  for (const [at, least] of versionMin.entries())
    if (Number(found[at]) !== least) return Number(found[at]) > least
  return true
}

function faultsOfStream(name: string, info: StreamInfo): string[] {
  const { base, format } = markOf(info)
  const mark =
    base === ''
      ? [`stream ${name} was not made by voicestream cluster init`]
      : format === String(messageFormat)
        ? []
        : [`stream ${name} has messages of format ${quoted(format)}, and this version reads ${messageFormat}`]
  return [...mark, ...faultsOf(name, info.config).map((fault) => `stream ${name}: ${fault}`)]
}

function replicasOf({ cluster = {} }: StreamInfo): ReplicaReport[] {
  const { leader, replicas: followers = [] } = cluster
  const leading =
    leader === undefined || leader === '' ? [] : [{ name: leader, isLeader: true, isOnline: true, lag: 0 }]
  const following = followers.map(({ name, offline, lag = 0 }) => ({
    name,
    isLeader: false,
    isOnline: offline !== true,
    lag,
  }))
  return [...leading, ...following].sort((a, b) => a.name.localeCompare(b.name))
}

const warningsOfReplica = ({ name, isOnline }: ReplicaReport): string[] =>
  isOnline ? [] : [`server ${name} is down: the log has one copy less`]

async function askServer(url: string): Promise<ServerReport> {
  const [facts, jetstream] = await Promise.all([ask(url, 'varz'), ask(url, 'jsz')])
  const { sync_always } = (jetstream['config'] ?? {}) as { sync_always?: boolean }
  return {
    name: String(facts['server_name']),
    version: String(facts['version']),
    maxPayload: Number(facts['max_payload']),
    syncsEach: sync_always === true,
  }
}

async function ask(url: string, path: string): Promise<Record<string, unknown>> {
  const address = `${url.replace(/\/+$/, '')}/${path}`
  const answer = await fetch(address, { signal: AbortSignal.timeout(askMs) })
  if (!answer.ok) throw new Error(`${path} is answered with status ${answer.status}`)
  return (await answer.json()) as Record<string, unknown>
}
