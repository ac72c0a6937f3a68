/** One supervisor that reads everything, in a process of its own. Tasks: `connect`, `counts`. */
import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { serveTasks } from '../stage/helper.js'
import { clientFrame, FrameCounter } from './websocket-frames.js'

export interface SupervisorCounts {
  readonly messages: number
  readonly bytes: number
  /** The code that the service closed it with, or null while it is open. */
  readonly closedWith: number | null
}

const pong = 10
let closedWith: number | null = null
let socket: Socket | null = null
const counter = new FrameCounter({
  ping: (payload) => socket?.write(clientFrame(pong, payload)),
  closed: (code) => {
    closedWith = code
  },
})

function open(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const opening = connect({ host: '127.0.0.1', port })
    socket = opening
    let head = ''
    const take = (chunk: Buffer) => {
      head += chunk.toString('latin1')
      const end = head.indexOf('\r\n\r\n')
      if (end < 0) return
      opening.off('data', take)
      if (!head.startsWith('HTTP/1.1 101'))
        return reject(new Error(`the socket was answered ${head.slice(0, 60)}`))
      opening.on('data', (next: Buffer) => counter.push(next))
      counter.push(Buffer.from(head.slice(end + 4), 'latin1'))
      resolve()
    }
    opening.on('data', take)
    opening.on('error', reject)
    opening.on('close', () => {
      closedWith ??= 1006
    })
    const key = randomBytes(16).toString('base64')
    opening.write(
      `GET /ws/supervisor HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    )
  })
}

serveTasks({
  connect: ({ port }: { port: number }) => open(port),
  counts: (): SupervisorCounts => ({ messages: counter.messages, bytes: counter.bytes, closedWith }),
})
