/**
 * A gateway with the native protocol, as fast as the service acknowledges, in a process of its own: trunk messages of blocks of
 * many calls. It keeps what is not acknowledged, as a gateway must. Tasks: `connect`, `send`, `resume`.
 */
import { WebSocket } from 'ws'
import { serveTasks } from '../stage/helper.js'

export interface NativeInput {
  readonly port: number
  /** Names the calls. */
  readonly prefix: string
}

export interface SendInput {
  readonly seconds: number
  readonly packetsPerBlock: number
}

export interface SendFigures {
  /** On disk, by the service's word. */
  readonly packets: number
  readonly elapsedMs: number
  /** Sent and not acknowledged, when the time was over. */
  readonly left: number
}

const streams = 200
const packetBytes = 160
const headerBytes = 16
const messageBytesMax = 60_000
/** Below the service's own bound, which it tells in its welcome. */
const unsettledBytesMax = 900_000
const openMsMax = 15_000

const next = new Uint32Array(streams)
let socket: WebSocket | null = null
let unacknowledged: Buffer[] = []
let unacknowledgedBytes = 0
let acknowledged = 0
let acked: () => void = () => {}

async function open({ port, prefix }: NativeInput): Promise<WebSocket> {
  const opened = new WebSocket(`ws://127.0.0.1:${port}/v1/media/native`, 'voicestream.ingest.v1')
  opened.on('error', () => {})
  await new Promise((resolve, reject) => {
    opened.once('open', resolve)
    opened.once('close', reject)
  })
  acknowledged = 0
  let streamsOpened = 0
  const ready = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${streamsOpened} streams were opened`)), openMsMax)
    opened.on('message', (data: Buffer, isBinary) => {
      if (isBinary) return settle(data.readUInt32LE(4))
      const { type } = JSON.parse(data.toString()) as { readonly type: string }
      if (type === 'opened' && ++streamsOpened === streams) {
        clearTimeout(timer)
        resolve()
      } else if (type === 'refused') reject(new Error(data.toString()))
    })
  })
  opened.send('{"type":"hello","gateway":"bench"}')
  for (let stream = 0; stream < streams; stream++)
    opened.send(
      JSON.stringify({
        type: 'open',
        stream,
        call_id: `${prefix}-${stream}`,
        start: { media: { encoding: 'mulaw', sample_rate: 8000, channels: 1 } },
      }),
    )
  await ready
  return opened
}

function settle(messages: number): void {
  for (const { length } of unacknowledged.splice(0, messages - acknowledged)) unacknowledgedBytes -= length
  acknowledged = messages
  acked()
}

let turn = 0
function message(packetsPerBlock: number): Buffer {
  const bytes = headerBytes + packetsPerBlock * packetBytes
  const blocks = Math.floor(messageBytesMax / bytes)
  const made = Buffer.alloc(blocks * bytes, 0xd5)
  for (let at = 0; at < made.length; at += bytes) {
    const stream = turn++ % streams
    const first = next[stream] as number
    made[at] = 1
    made[at + 1] = 0
    made.writeUInt16LE(stream, at + 2)
    made.writeUInt32LE(first, at + 4)
    made.writeUInt32LE(first * 20, at + 8)
    made.writeUInt16LE(packetsPerBlock, at + 12)
    made.writeUInt16LE(packetBytes, at + 14)
    next[stream] = first + packetsPerBlock
  }
  return made
}

const packetsIn = (messages: readonly Buffer[]) =>
  messages.reduce((sum, each) => {
    const perBlock = each.readUInt16LE(12)
    return sum + (each.length / (headerBytes + perBlock * packetBytes)) * perBlock
  }, 0)

async function send({ seconds, packetsPerBlock }: SendInput): Promise<SendFigures> {
  if (socket === null) throw new Error('connect first')
  const startedAt = performance.now()
  let sent = 0
  while (performance.now() - startedAt < seconds * 1000) {
    while (unacknowledgedBytes < unsettledBytesMax) {
      const made = message(packetsPerBlock)
      unacknowledged.push(made)
      unacknowledgedBytes += made.length
      sent += packetsIn([made])
      socket.send(made)
    }
    await new Promise<void>((resolve) => {
      acked = resolve
    })
  }
  const left = packetsIn(unacknowledged)
  return { packets: sent - left, elapsedMs: performance.now() - startedAt, left }
}

serveTasks({
  connect: async (input: NativeInput) => {
    next.fill(0)
    unacknowledged = []
    unacknowledgedBytes = 0
    socket = await open(input)
  },
  send,
  /** On another process of the service: milliseconds until all is acknowledged. */
  resume: async (input: NativeInput) => {
    const startedAt = performance.now()
    socket = await open(input)
    for (const each of unacknowledged) socket.send(each)
    while (unacknowledged.length > 0)
      await new Promise<void>((resolve) => {
        acked = resolve
      })
    return performance.now() - startedAt
  },
  close: () => socket?.terminate(),
})
