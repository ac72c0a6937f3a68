/** One connection of a gateway, the streams of its calls on it, and its breaks. */
import { Buffer } from 'node:buffer'
import { IngestClient, ingestProtocol } from '../../client/ingest-client.js'
import { seededRandom } from '../../random.js'
import type { SimulatorClock } from '../clock.js'
import { SimulateError } from '../errors.js'
import { packetMs } from '../limits.js'
import type { SimulateOptions } from '../options.js'
import { sleepUnlessAborted } from '../service-client.js'
import { type Credentials, socketUrl, tokenHeaders } from './admission.js'
import { openWebSocket } from './message-line.js'
import type { NativeCall } from './native-call.js'

export interface NativePorts {
  readonly clock: SimulatorClock
  readonly signal: AbortSignal
  readonly credentials: Credentials
}

/** As a gateway would: a tenth of a second a block. */
export const blockPackets = 5
const ringBytesPerCall = 256 * 1024
const fullRingMs = 20

export interface Trunk {
  readonly calls: readonly NativeCall[]
  /** How much of its calls was said when its connection breaks; null when it does not. */
  readonly breaksAtShare: number | null
}

export function planTrunks(
  { seed, double, drop }: SimulateOptions,
  calls: NativeCall[],
  index: number,
): Trunk[] {
  const random = seededRandom(seed ^ Math.imul(index + 1, 0x85ebca6b))
  const count = random() * 100 < double ? 2 : 1
  return Array.from({ length: count }, () => {
    const breaksAtShare = random() * 100 < drop ? 0.25 + random() / 2 : null
    for (const call of calls) {
      call.trunks++
      if (breaksAtShare !== null) call.breaks++
    }
    return { calls, breaksAtShare }
  })
}

export function plannedOf({ calls }: Trunk): number {
  return calls.reduce((sum, { plan }) => sum + plan.sentCount, 0)
}

export interface TrunkRun {
  readonly options: SimulateOptions
  readonly packets: readonly Buffer[]
  /** Of each call, but its parties. */
  readonly start: object
  readonly ports: NativePorts
  readonly beganMs: number
}

/** Never throws what the simulator expects to go wrong: its calls tell that. */
export async function playTrunk(trunk: Trunk, run: TrunkRun): Promise<void> {
  const { options, packets, ports } = run
  const connection = new Connection(options, ports)
  const client = new IngestClient({
    connect: () => connection.open(),
    gateway: 'simulate',
    firstWaitMs: 50,
    longestWaitMs: 1000,
    ringBytes: trunk.calls.length * ringBytesPerCall,
    onRefused: ({ code }) => connection.refused(code),
  })
  const breakMs = ((trunk.breaksAtShare ?? 0) * packets.length * packetMs) / options.speed
  const cut = trunk.breaksAtShare === null ? null : setTimeout(() => connection.cut(), breakMs)
  try {
    await Promise.all(
      trunk.calls.map((call, index) =>
        playCall(call, client, connection, run, index / trunk.calls.length).catch((error: unknown) => {
          if (!(error instanceof SimulateError)) throw error
          call.playing = { kind: 'broken off', error }
        }),
      ),
    )
  } finally {
    if (cut !== null) clearTimeout(cut)
    client.dispose()
  }
}

/** The socket that a client has now, and why it has none. */
class Connection {
  readonly #options: SimulateOptions
  readonly #ports: NativePorts
  #socket: ReturnType<typeof openWebSocket> | null = null
  #fault: string | null = null
  #refusal: string | null = null

  constructor(options: SimulateOptions, ports: NativePorts) {
    this.#options = options
    this.#ports = ports
  }

  open(): ReturnType<typeof openWebSocket> {
    const socket = openWebSocket({
      url: socketUrl(this.#options.url, '/v1/media/native'),
      subprotocol: ingestProtocol,
      headers: tokenHeaders('bearer', this.#ports.credentials),
    })
    socket.on('open', () => {
      this.#fault = null
    })
    socket.on('error', ({ message }) => {
      this.#fault = message
      if (/ 4\d\d$/.test(message) && !message.endsWith(' 429')) this.#refusal = message
    })
    this.#socket = socket
    return socket
  }

  refused(code: string): void {
    this.#refusal = `the service refuses a stream: ${code}`
  }

  cut(): void {
    this.#socket?.terminate()
  }

  /** Once the service has said no for good, and when the user ends the run. */
  check(): void {
    if (this.#refusal !== null) throw new SimulateError('breach', this.#refusal)
    if (this.#ports.signal.aborted) throw new SimulateError('interrupted', 'ended by the user')
  }

  get fault(): string {
    return this.#fault ?? 'it acknowledges nothing'
  }
}

async function playCall(
  call: NativeCall,
  client: IngestClient,
  connection: Connection,
  { options, packets, start, ports: { clock, signal }, beganMs }: TrunkRun,
  phase: number,
): Promise<void> {
  const stream = client.open({
    callId: call.callId,
    packetBytes: packets[0]?.length ?? 0,
    start: { ...start, ...call.parties },
  })
  const { speed, patienceMs } = options
  for (let first = 0; first < packets.length; first += blockPackets) {
    const dueMs = beganMs + ((first / blockPackets + 1 + phase) * blockPackets * packetMs) / speed
    await sleepUnlessAborted({ ms: dueMs - clock.nowMs(), clock, signal })
    for (const run of runsOf(packets, first, call.plan.lost[0])) {
      connection.check()
      if (run.packets.length === 0) {
        client.skip(stream, run.lost)
        continue
      }
      const giveUpAtMs = clock.nowMs() + patienceMs
      while (!client.send(stream, Buffer.concat(run.packets))) {
        connection.check()
        if (clock.nowMs() > giveUpAtMs) throw new SimulateError('unreachable', connection.fault)
        await clock.sleep(fullRingMs)
      }
      call.sent += run.packets.length
    }
  }
  await closed(client.close(stream), connection, clock, patienceMs)
}

interface PacketRun {
  readonly packets: readonly Buffer[]
  readonly lost: number
}

/** A block as neighbours that go together, and holes between them. */
function runsOf(
  packets: readonly Buffer[],
  first: number,
  lost: ReadonlySet<number> | undefined,
): readonly PacketRun[] {
  const runs: { packets: Buffer[]; lost: number }[] = []
  for (let index = first; index < Math.min(first + blockPackets, packets.length); index++) {
    const isLost = lost?.has(index) === true
    const last = runs.at(-1)
    const run = last !== undefined && last.lost > 0 === isLost ? last : { packets: [], lost: 0 }
    if (run !== last) runs.push(run)
    if (isLost) run.lost++
    else run.packets.push(packets[index] as Buffer)
  }
  return runs
}

async function closed(
  told: Promise<number>,
  connection: Connection,
  clock: SimulatorClock,
  patienceMs: number,
): Promise<void> {
  let isTold = false
  void told.then(() => {
    isTold = true
  })
  for (const giveUpAtMs = clock.nowMs() + patienceMs; !isTold; await clock.sleep(fullRingMs)) {
    connection.check()
    if (clock.nowMs() > giveUpAtMs) throw new SimulateError('unreachable', connection.fault)
  }
}
