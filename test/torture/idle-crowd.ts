/**
 * Thousands of supervisors with nothing to hear, and thousands of requests that come a byte a second (P16): the slow ones
 * are gone in time, the idle ones cost little, and a packet between them is stored as quickly as ever.
 */
import { connect, type Socket } from 'node:net'
import { supervisorHandshake } from '../support/handshake.js'
import { readMetric } from '../support/metrics.js'
import { rawRequest } from '../support/raw-connection.js'
import type { Service } from '../support/service.js'
import { mebibytes, residentOf } from './memory.js'
import { besideMsMax, latenciesAlone, PacedLoad, percentile } from './paced-load.js'
import { epochMs, killHard, type Stage, sleep } from './stage.js'
import type { Verdict } from './verdict.js'

export interface CrowdPlan {
  readonly idle: number
  /** What the idle ones ask for, behind the `?`. Without a filter each of them is told of every packet. */
  readonly query: string
  readonly slowBodies: number
  readonly slowHeaders: number
  readonly packetsPerSecond: number
  readonly judgesTimes: boolean
}

const slowMsMax = 15_000
const residentBytesMax = 400 * 1024 * 1024
const idleBytesMax = 150 * 1024 * 1024
const openedAtOnce = 200

export async function runIdleCrowd(stage: Stage, plan: CrowdPlan): Promise<Verdict> {
  // They all come from one address.
  const settings = { SOCKETS_PER_ADDRESS_MAX: plan.idle }
  const service = await stage.service({ dataDir: stage.folder(), settings })
  const pid = service.child.pid as number
  const load = new PacedLoad(stage, {
    service,
    packetsPerSecond: plan.packetsPerSecond,
    lanes: 4,
    name: 'steady',
  })
  const alone = await latenciesAlone(load)
  const before = residentOf(pid).bytes
  const idle = await openAll(
    stage,
    service,
    plan.idle,
    supervisorHandshake(plan.query === '' ? '' : `?${plan.query}`),
  )
  const connected = await connectedIn(service, plan.idle)
  const idleBytes = residentOf(pid).bytes - before
  const slow = await openSlow(stage, service, plan)
  // Thousands of connections keep the driver busy while it opens them: what it sees then is its own lateness.
  load.takeLatencies()
  for (const until = epochMs() + slowMsMax + 2000; epochMs() < until && slow.some(isThere); ) await sleep(100)
  const latencies = load.takeLatencies()
  await load.stop()
  const stillConnected = await readMetric(service, 'voicestream_supervisors')
  const { peakBytes } = residentOf(pid)

  const findings: string[] = []
  const p99 = percentile(latencies, 0.99)
  const late = slow.filter(({ goneAfterMs }) => goneAfterMs === null || goneAfterMs > slowMsMax)
  if (connected < plan.idle) findings.push(`${connected} of ${plan.idle} idle sockets were let in`)
  if (stillConnected < plan.idle) findings.push(`${stillConnected} of ${plan.idle} idle sockets are left`)
  if (late.length > 0) findings.push(`${late.length} slow requests were still there after ${slowMsMax} ms`)
  if (peakBytes > residentBytesMax) findings.push(`${mebibytes(peakBytes)} MiB are resident`)
  if (idleBytes > idleBytesMax) findings.push(`idle sockets take ${mebibytes(idleBytes)} MiB`)
  if (plan.judgesTimes && p99 > besideMsMax(alone)) findings.push(`a packet takes ${p99.toFixed(1)} ms (p99)`)
  for (const socket of idle) socket.destroy()
  await killHard(service)
  const gone = slow.flatMap(({ goneAfterMs }) => (goneAfterMs === null ? [] : [goneAfterMs]))
  return {
    counts: { idle: connected, slow: slow.length, packets: load.total },
    notes: {
      slowestGoneMs: Math.round(Math.max(0, ...gone)),
      ingestP99Ms: Math.round(p99 * 10) / 10,
      residentMebibytes: mebibytes(peakBytes),
      idleMebibytes: mebibytes(idleBytes),
    },
    faults: gone.length,
    findings,
  }
}

function open(stage: Stage, { port }: Service, first: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port })
    stage.after(() => socket.destroy())
    socket.once('error', reject)
    socket.once('connect', () => {
      // From here on the other side may do to it what it likes.
      socket.removeAllListeners('error')
      socket.on('error', () => {})
      socket.resume()
      socket.write(first)
      resolve(socket)
    })
  })
}

async function openAll(stage: Stage, service: Service, count: number, first: string): Promise<Socket[]> {
  const sockets: Socket[] = []
  while (sockets.length < count) {
    const part = Math.min(openedAtOnce, count - sockets.length)
    sockets.push(...(await Promise.all(Array.from({ length: part }, () => open(stage, service, first)))))
  }
  return sockets
}

async function connectedIn(service: Service, count: number): Promise<number> {
  let connected = 0
  for (let tries = 0; tries < 100 && connected < count; tries++) {
    await sleep(100)
    connected = await readMetric(service, 'voicestream_supervisors')
  }
  return connected
}

interface SlowRequest {
  goneAfterMs: number | null
}

const isThere = ({ goneAfterMs }: SlowRequest) => goneAfterMs === null

/** Each sends a byte a second, and would for a quarter of an hour. */
async function openSlow(stage: Stage, service: Service, plan: CrowdPlan): Promise<readonly SlowRequest[]> {
  const body = rawRequest({ path: '/v1/call/stream/slow', lines: ['Content-Length: 1000'], body: '{' })
  const header = 'POST /v1/call/stream/slow HTTP/1.1\r\nHost: test\r\nX-Slow: '
  const requests: SlowRequest[] = []
  for (const [first, count] of [
    [body, plan.slowBodies],
    [header, plan.slowHeaders],
  ] as const)
    for (const socket of await openAll(stage, service, count, first)) {
      const startedAt = epochMs()
      const request: SlowRequest = { goneAfterMs: null }
      requests.push(request)
      const timer = setInterval(() => socket.write('a'), 1000)
      socket.once('close', () => {
        clearInterval(timer)
        request.goneAfterMs = epochMs() - startedAt
      })
    }
  return requests
}
