/** Thousands of media sockets on which nobody speaks: they stay, cost little, and leave ingest alone; one too many is refused. */
import { connect, type Socket } from 'node:net'
import { limits } from '../../src/limits.js'
import { handshakeLines } from '../support/handshake.js'
import { rawRequest } from '../support/raw-connection.js'
import type { Service } from '../support/service.js'
import { MediaReaders } from './media-readers.js'
import { mebibytes, residentOf } from './memory.js'
import { besideMsMax, latenciesAlone, PacedLoad, percentile } from './paced-load.js'
import { readJson } from './read-media.js'
import { Connection } from './requests.js'
import { killHard, type Stage, sleep } from './stage.js'
import type { Verdict } from './verdict.js'

export interface IdleStreamsPlan {
  readonly sockets: number
  readonly packetsPerSecond: number
  readonly holdMs: number
  readonly judgesTimes: boolean
}

/** Each has a call and a leg in memory. */
const bytesPerSocketMax = 24 * 1024
/** What the machine moves by anyway. */
const restBytes = 64 * 1024 * 1024
const openedAtOnce = 100

export async function runIdleStreams(stage: Stage, plan: IdleStreamsPlan): Promise<Verdict> {
  const service = await stage.service({ dataDir: stage.folder() })
  const pid = service.child.pid as number
  const readers = new MediaReaders(stage, () => service)
  const load = new PacedLoad(stage, {
    service,
    packetsPerSecond: plan.packetsPerSecond,
    lanes: 4,
    name: 'steady',
  })
  const alone = await latenciesAlone(load)
  const before = residentOf(pid).bytes
  const sockets: IdleSocket[] = []
  for (let first = 0; first < plan.sockets; first += openedAtOnce) {
    const part = Array.from({ length: Math.min(openedAtOnce, plan.sockets - first) }, (_, at) => first + at)
    sockets.push(...(await Promise.all(part.map((number) => IdleSocket.open(stage, service, number)))))
  }
  // Opening them keeps the driver busy: what it saw of it is its own lateness.
  load.takeLatencies()
  await sleep(plan.holdMs)
  const latencies = load.takeLatencies()
  await load.stop()
  const bytes = residentOf(pid).bytes - before
  const findings: string[] = []
  let refused = 0
  if (plan.sockets === limits.mediaSocketsMax) {
    const surplus = await IdleSocket.open(stage, service, plan.sockets)
    if (!surplus.answer.includes(' 503 ')) findings.push(`one too many was answered ${surplus.answer}`)
    else refused++
  }
  const open = sockets.filter(({ isOpen }) => isOpen).length
  if (open < plan.sockets) findings.push(`${open} of ${plan.sockets} idle sockets are left`)
  const last = new Connection(service.port)
  const { legs } = await readJson(last, `/v1/call/${callOf(plan.sockets - 1)}`)
  last.close()
  if (legs?.[0]?.ended_at !== null) findings.push('the last one has no leg that is open')
  const boundBytes = plan.sockets * bytesPerSocketMax + restBytes
  if (bytes > boundBytes)
    findings.push(`idle sockets take ${mebibytes(bytes)} MiB of ${mebibytes(boundBytes)}`)
  const p99 = percentile(latencies, 0.99)
  if (plan.judgesTimes && p99 > besideMsMax(alone)) findings.push(`a packet takes ${p99.toFixed(1)} ms (p99)`)
  for (const socket of sockets) socket.destroy()
  await readers.stop()
  await killHard(service)
  return {
    counts: { packets: load.total, reads: readers.reads },
    notes: { refused, idleMebibytes: mebibytes(bytes), ingestP99Ms: Math.round(p99 * 10) / 10 },
    faults: open,
    findings,
  }
}

const callOf = (number: number) => `idle-${number}`

/** Masked with zeros: the payload stands as it is. */
function textFrame(text: string): Buffer {
  const payload = Buffer.from(text)
  const head = Buffer.alloc(8)
  head.writeUInt8(0x81, 0)
  head.writeUInt8(0x80 | 126, 1)
  head.writeUInt16BE(payload.length, 2)
  return Buffer.concat([head, payload])
}

class IdleSocket {
  readonly #socket: Socket
  isOpen = true
  answer = ''

  private constructor(socket: Socket) {
    this.#socket = socket
  }

  /** From some of the loopback's addresses: one may open only so many in a second. Resolves once it was answered. */
  static async open(stage: Stage, { port }: Service, number: number): Promise<IdleSocket> {
    const address = `127.0.0.${2 + (number % 200)}`
    const socket = connect({ host: '127.0.0.1', port, localAddress: address })
    stage.after(() => socket.destroy())
    const idle = new IdleSocket(socket)
    socket.on('error', () => {})
    socket.on('close', () => {
      idle.isOpen = false
    })
    socket.write(rawRequest({ method: 'GET', path: '/v1/media/vonage', lines: [...handshakeLines] }))
    await new Promise<void>((resolve) => {
      socket.once('data', (data) => {
        idle.answer = data.toString('latin1').split('\r\n')[0] ?? ''
        resolve()
      })
      socket.once('close', () => resolve())
    })
    const start = {
      event: 'websocket:connected',
      'content-type': 'audio/l16;rate=8000',
      call_uuid: callOf(number),
    }
    socket.write(textFrame(JSON.stringify(start).padEnd(130)))
    return idle
  }

  destroy(): void {
    this.#socket.destroy()
  }
}
