/**
 * From the log into this node's own file: every message, in order, once. It never leaves one out: a message that is missing or
 * unreadable, and a file that does not take it, end the node, because its copy would no longer be one.
 */
import { messageOf } from '../../errors.js'
import type { LogFollower, LogMessage } from '../log.js'
import { decodeMessage, type Message } from './message.js'

export interface MessageInOrder extends Message {
  readonly sequence: number
  readonly subject: string
}

export interface CopyFile {
  /** In one transaction: what the messages hold, and that the file is at the last one's sequence. Throws, and then has none of it. */
  apply(messages: readonly MessageInOrder[]): void
}

export interface ApplierPorts {
  readonly file: CopyFile
  /** There is something to apply. `flush` is wanted soon. */
  waiting(): void
  /** It is in the file. */
  applied(message: MessageInOrder): void
  /** The node cannot go on with this file and this version. */
  failed(error: Error): void
}

export class Applier implements LogFollower {
  readonly #ports: ApplierPorts
  /** The last one taken. */
  #position: number
  #taken: MessageInOrder[] = []
  #hasFailed = false

  constructor(position: number, ports: ApplierPorts) {
    this.#position = position
    this.#ports = ports
  }

  take({ sequence, subject, id, body }: LogMessage): void {
    if (this.#hasFailed) return
    try {
      if (sequence !== this.#position + 1)
        throw new Error(`message ${sequence} of the log came behind ${this.#position}`)
      const message = decodeMessage(body)
      if (message.id !== id)
        throw new Error(`message ${sequence} of the log is ${message.id}, and came as ${id}`)
      this.#position = sequence
      this.#taken.push({ ...message, sequence, subject })
    } catch (error) {
      return this.#fail(error)
    }
    if (this.#taken.length === 1) this.#ports.waiting()
  }

  trimmed(first: number): void {
    const behind = `the log begins at message ${first}, and this node's file ends at ${this.#position}`
    this.#fail(new Error(`${behind}: start with a copy of another node's file`))
  }

  lost(last: number): void {
    const ahead = `the log ends at message ${last}, and this node's file at ${this.#position}`
    this.#fail(new Error(`${ahead}: the log has lost messages, or it is not the one of this file`))
  }

  /** What has been taken, in one transaction. */
  flush(): void {
    if (this.#hasFailed || this.#taken.length === 0) return
    const messages = this.#taken
    this.#taken = []
    try {
      this.#ports.file.apply(messages)
    } catch (error) {
      return this.#fail(error)
    }
    for (const message of messages) this.#ports.applied(message)
  }

  #fail(error: unknown): void {
    if (this.#hasFailed) return
    this.#hasFailed = true
    this.#ports.failed(error instanceof Error ? error : new Error(messageOf(error)))
  }
}
