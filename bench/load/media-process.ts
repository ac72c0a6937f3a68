/**
 * Sockets of a telephony platform, all at the pace of live calls, in a process of their own: each sends a packet of 20 ms every
 * 20 ms, as Twilio does. Frames are made once a tick and written straight to the descriptors, because on two cores what the
 * generator takes the service lacks. Tasks: `connect`, `play`, `close`.
 */
import { writeSync } from 'node:fs'
import { connect as connectTcp, type Socket } from 'node:net'
import { codeOf } from '../../src/errors.js'
import { serveTasks } from '../stage/helper.js'

export interface ConnectInput {
  readonly port: number
  readonly calls: number
}

export interface PlayInput {
  readonly seconds: number
}

export interface PlayFigures {
  readonly sent: number
  /** Messages that a full socket took only in part: the rest followed. */
  readonly blocked: number
  /** How far the generator was behind its pace, at most. */
  readonly lateMsMax: number
  readonly closed: number
}

const packetMs = 20
/** Sockets are spread over the 20 ms, as calls are. */
const slices = 20
const connectAtOnce = 50
/** A storm of upgrades is refused for the moment. */
const upgradeMs = 200
const upgradeTriesMax = 50
const payload = Buffer.alloc(160, 0xff).toString('base64')

/** A masked text frame; a mask of zeros leaves the payload as it is. */
function textFrame(text: string): Buffer {
  const body = Buffer.from(text)
  const head =
    body.length < 126
      ? Buffer.from([0x81, 0x80 | body.length, 0, 0, 0, 0])
      : Buffer.from([0x81, 0x80 | 126, body.length >> 8, body.length & 0xff, 0, 0, 0, 0])
  return Buffer.concat([head, body])
}

const sidOf = (call: number) => `MZ${String(call).padStart(8, '0')}`

interface Line {
  readonly socket: Socket
  readonly fd: number
}

let run = 0
let lines: Line[] = []
let chunk = 0
let closed = 0

async function open(port: number): Promise<Socket> {
  for (let tries = 1; ; tries++) {
    const socket = await upgrade(port)
    if (socket !== null) return socket
    if (tries === upgradeTriesMax) throw new Error(`${tries} upgrades were refused`)
    await new Promise((resolve) => setTimeout(resolve, upgradeMs))
  }
}

/** Null where it is refused for the moment. */
function upgrade(port: number): Promise<Socket | null> {
  const socket = connectTcp({ host: '127.0.0.1', port })
  socket.setNoDelay(true)
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.once('connect', () =>
      socket.write(
        `GET /v1/media/twilio HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n`,
      ),
    )
    socket.once('data', (answer) => {
      socket.removeListener('error', reject)
      socket.on('error', () => {})
      const status = answer.toString('latin1', 9, 12)
      if (status !== '101') socket.destroy()
      if (status === '101') resolve(socket.once('close', () => closed++))
      else if (status === '503' || status === '429') resolve(null)
      else reject(new Error(`the upgrade was answered with ${status}`))
    })
  })
}

function startFrame(call: number): Buffer {
  return textFrame(
    JSON.stringify({
      event: 'start',
      sequenceNumber: '1',
      streamSid: sidOf(call),
      start: {
        streamSid: sidOf(call),
        accountSid: 'AC1',
        callSid: `CA${run}-${call}`,
        tracks: ['inbound'],
        mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 },
      },
    }),
  )
}

function mediaFrame(): { readonly frame: Buffer; readonly sidAt: number } {
  const text = `{"event":"media","sequenceNumber":"${chunk + 1}","media":{"track":"inbound","chunk":"${chunk}","timestamp":"${(chunk - 1) * packetMs}","payload":"${payload}"},"streamSid":"${sidOf(0)}"}`
  const frame = textFrame(text)
  return { frame, sidAt: frame.length - sidOf(0).length - 2 }
}

async function connect({ port, calls }: ConnectInput): Promise<void> {
  run++
  lines = []
  chunk = 0
  closed = 0
  for (let first = 0; first < calls; first += connectAtOnce) {
    const sockets = await Promise.all(
      Array.from({ length: Math.min(connectAtOnce, calls - first) }, () => open(port)),
    )
    for (const socket of sockets) {
      const { fd } = (socket as unknown as { _handle: { fd: number } })._handle
      socket.write(startFrame(lines.length))
      lines.push({ socket, fd })
    }
  }
}

async function play({ seconds }: PlayInput): Promise<PlayFigures> {
  const [startedAt, ticks] = [performance.now(), (seconds * 1000) / packetMs]
  let [sent, blocked, lateMsMax] = [0, 0, 0]
  for (let tick = 0; tick < ticks; tick++) {
    chunk++
    const { frame, sidAt } = mediaFrame()
    for (let slice = 0; slice < slices; slice++) {
      for (let call = slice; call < lines.length; call += slices) {
        frame.write(sidOf(call), sidAt, 'latin1')
        if (!write(lines[call] as Line, frame)) blocked++
        sent++
      }
      const due = startedAt + tick * packetMs + ((slice + 1) * packetMs) / slices
      const late = performance.now() - due
      lateMsMax = Math.max(lateMsMax, late)
      if (late < 0) await new Promise((resolve) => setTimeout(resolve, -late))
    }
  }
  return { sent, blocked, lateMsMax, closed }
}

/** False where the socket was full: then Node writes the rest, and everything after it. */
function write({ socket, fd }: Line, frame: Buffer): boolean {
  let written = 0
  if (socket.writableLength === 0)
    try {
      written = writeSync(fd, frame)
    } catch (error) {
      if (codeOf(error) !== 'EAGAIN') return false
    }
  if (written === frame.length) return true
  socket.write(Buffer.from(frame.subarray(written)))
  return false
}

serveTasks({
  connect,
  play,
  close: () => {
    for (const { socket } of lines) socket.destroy()
  },
})
