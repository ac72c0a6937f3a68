/** Whoever looks on while packets come: supervisors that come and go, politely or not, and readers of calls. */
import WebSocket from 'ws'
import { toldMessage } from '../support/told-messages.js'
import type { Random } from '../torture/random.js'
import { Connection } from '../torture/requests.js'
import { sleep } from '../torture/stage.js'

const supervisorsMax = 6
const stayMsMax = 8000
const readPauseMs = 100

export class Onlookers {
  readonly #port: number
  readonly #random: Random
  #isHalted = false
  #running: readonly Promise<void>[] = []
  readonly #sockets = new Set<WebSocket>()
  connects = 0
  events = 0
  reads = 0
  /** Answers that no reader should get. */
  readonly odd: string[] = []

  constructor(port: number, random: Random) {
    this.#port = port
    this.#random = random
  }

  start(): void {
    const supervisors = Array.from({ length: supervisorsMax }, () => this.#supervise())
    this.#running = [...supervisors, this.#read()]
  }

  /** Resolves when every socket is closed. */
  async halt(): Promise<void> {
    this.#isHalted = true
    for (const socket of this.#sockets) socket.close()
    await Promise.all(this.#running)
  }

  async #supervise(): Promise<void> {
    while (!this.#isHalted) {
      await this.#visit()
      await sleep(this.#random.integer(0, 1000))
    }
  }

  /** One connection from its handshake to its end. */
  #visit(): Promise<void> {
    const socket = new WebSocket(`ws://127.0.0.1:${this.#port}/ws/supervisor`)
    this.#sockets.add(socket)
    const isPolite = this.#random.chance(0.5)
    let isEnding = false
    const leave = () => {
      isEnding = true
      if (isPolite) socket.close()
      else socket.terminate()
    }
    const timer = setTimeout(leave, this.#random.integer(100, stayMsMax))
    socket.on('open', () => {
      this.connects++
    })
    socket.on('message', (data) => {
      this.events++
      this.#judge(String(data))
    })
    socket.on('error', ({ message }) => {
      // One that leaves before it is let in is told so by its own side.
      if (!isEnding && !this.#isHalted) this.odd.push(`a socket broke: ${message}`)
    })
    return new Promise((resolve) => {
      socket.on('close', () => {
        clearTimeout(timer)
        this.#sockets.delete(socket)
        resolve()
      })
    })
  }

  /** Each message, by its schema and without other members. */
  #judge(text: string): void {
    try {
      toldMessage(text)
    } catch (error) {
      this.odd.push(`a supervisor was told ${text.slice(0, 200)}: ${error}`)
    }
  }

  async #read(): Promise<void> {
    const connection = new Connection(this.#port)
    while (!this.#isHalted) {
      const calls = await this.#get(connection, '/v1/calls?limit=20')
      const ids = [...calls.matchAll(/"call_id":"([^"]+)"/g)].map(([, id]) => id ?? '')
      for (const id of ids.slice(0, 3))
        await this.#get(
          connection,
          `/v1/call/${id}${this.#random.pick(['', '/packets?limit=50', '/gaps', '/packets?from=150'])}`,
        )
      await sleep(readPauseMs)
    }
    connection.close()
  }

  async #get(connection: Connection, path: string): Promise<string> {
    const answer = await connection.get(path)
    this.reads++
    if (answer.kind === 'answered' && answer.status === 200) return answer.text
    this.odd.push(`GET ${path}: ${answer.kind === 'answered' ? answer.status : answer.reason}`)
    return ''
  }
}
