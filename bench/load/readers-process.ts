/**
 * Those who look on while packets come, in a process of their own: a dashboard that connects anew every 2 s, somebody who
 * reads long transcripts one after the other, and one who asks for a picture and takes nothing of it. Tasks: `begin`, `end`.
 */
import { once } from 'node:events'
import { Agent, get } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { serveTasks } from '../stage/helper.js'

export interface ReadersInput {
  readonly port: number
  /** Ended calls with long transcripts. */
  readonly calls: readonly string[]
}

export interface ReaderCounts {
  /** Whole pictures of the calls, and of the floor, up to `live`. */
  readonly pictures: number
  /** How long each took, ms. */
  readonly pictureMs: readonly number[]
  /** Pictures that were not whole after 10 s. */
  readonly late: number
  readonly pageReads: number
  readonly transcripts: number
  readonly transcriptBytes: number
  /** Connections that were never read. */
  readonly stalled: number
  /** Answers that were refused for the moment (429, 503). */
  readonly refused: number
  /** All that should not be: other statuses, broken connections. */
  readonly failures: readonly string[]
}

const reconnectMs = 2000
const pictureMsMax = 10_000
const failuresKeptMax = 20
const stalledMs = 5000
const pagePaths = [
  '/v1/floor',
  '/v1/calls?limit=50',
  '/v1/calls?state=ARCHIVED&limit=50',
  '/v1/calls?q=bill&limit=50',
]

const none = {
  pictures: 0,
  late: 0,
  pageReads: 0,
  transcripts: 0,
  transcriptBytes: 0,
  stalled: 0,
  refused: 0,
}
const counts = { ...none }
const agent = new Agent({ keepAlive: true })
let pictureMs: number[] = []
let failures: string[] = []
let ending = new AbortController()
let loops: Promise<void>[] = []
let views: Promise<void>[] = []

/** The bytes of an answer, or null for one that is refused for the moment. */
async function read(port: number, path: string): Promise<number | null> {
  const [answer] = await once(get({ agent, host: '127.0.0.1', port, path }), 'response')
  let bytes = 0
  for await (const part of answer) bytes += part.length
  if (answer.statusCode === 200) return bytes
  if (answer.statusCode !== 503 && answer.statusCode !== 429) throw new Error(`${path}: ${answer.statusCode}`)
  counts.refused++
  return null
}

/** One view of the page: its socket, up to the end of the picture. */
async function picture(port: number, query: string): Promise<void> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws/supervisor?${query}`)
  const begun = performance.now()
  let timer: NodeJS.Timeout | undefined
  try {
    const isWhole = await new Promise<boolean>((resolve, reject) => {
      socket.on('message', (message: Buffer) => {
        if (message.subarray(0, 40).toString('latin1').includes('"live"')) resolve(true)
      })
      socket.on('error', reject)
      socket.on('close', (code) => reject(new Error(`${query}: closed with ${code}`)))
      timer = setTimeout(() => resolve(false), pictureMsMax)
    })
    if (!isWhole) return void counts.late++
    counts.pictures++
    pictureMs.push(performance.now() - begun)
  } finally {
    clearTimeout(timer)
    socket.removeAllListeners().on('error', () => {})
    socket.terminate()
  }
}

/** Connects, and goes on without waiting: the next one comes in 2 s, whatever this one has seen by then. */
async function dashboard(port: number): Promise<void> {
  views.push(
    noted(async () => {
      const reads = pagePaths.map((path) => read(port, path))
      await Promise.all([picture(port, 'since=snapshot'), picture(port, 'view=floor'), ...reads])
      counts.pageReads += reads.length
    }),
  )
  await delay(reconnectMs, undefined, { signal: ending.signal }).catch(() => {})
}

let nextCall = 0
async function transcript(port: number, calls: readonly string[]): Promise<void> {
  const bytes = await read(port, `/v1/call/${calls[nextCall++ % calls.length]}/transcript`)
  if (bytes === null) return delay(100)
  counts.transcripts++
  counts.transcriptBytes += bytes
}

/** Nothing of what comes is taken: the kernel's buffers fill, then the service's. */
async function stalled(port: number): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port })
  socket.pause().on('error', () => {})
  await once(socket, 'connect')
  socket.write(
    `GET /ws/supervisor?since=snapshot HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n`,
  )
  counts.stalled++
  await delay(stalledMs, undefined, { signal: ending.signal }).catch(() => {})
  socket.destroy()
}

/** A failure is told at the end, and does not come again at once. */
async function noted(step: () => Promise<void>): Promise<void> {
  try {
    await step()
  } catch (error) {
    if (failures.length < failuresKeptMax) failures.push(String(error))
    await delay(100)
  }
}

async function repeat(step: () => Promise<void>): Promise<void> {
  while (!ending.signal.aborted) await noted(step)
}

serveTasks({
  begin: ({ port, calls }: ReadersInput) => {
    Object.assign(counts, none)
    pictureMs = []
    failures = []
    views = []
    ending = new AbortController()
    loops = [
      repeat(() => dashboard(port)),
      repeat(() => transcript(port, calls)),
      repeat(() => stalled(port)),
    ]
  },
  /** What was begun is read to its end: a picture that takes long is counted, too. */
  end: async (): Promise<ReaderCounts> => {
    ending.abort()
    await Promise.all(loops)
    await Promise.all(views)
    return { ...counts, pictureMs, failures }
  },
})
