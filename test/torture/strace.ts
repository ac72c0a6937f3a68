/**
 * Faults of the disk, injected from outside: `strace` attached to the running service makes its system calls slow or
 * fail. Its output says when that happened, so a test can assert that its fault fired and set answers against it.
 *
 * Attached after the start, so that the counts of `when=` begin with the load, and the service stays our own child.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Stage } from './stage.js'
import type { Unavailable } from './verdict.js'

export interface TracedCall {
  /** When the call was entered, milliseconds since 1970. */
  readonly at: number
  /** When it returned; infinite while it has not. */
  readonly returnedAt: number
  readonly name: string
  readonly text: string
  readonly isInjected: boolean
}

export interface Fault {
  /** System calls, with commas between them. */
  readonly calls: string
  /** As in `strace -e inject=…`, for example `error=EIO:when=3`. */
  readonly fault: string
  /** Only calls on this file. */
  readonly file?: string
}

export function straceUnavailable(): Unavailable {
  try {
    execFileSync('strace', ['-o', '/dev/null', '-e', 'trace=none', 'true'], { stdio: 'pipe' })
    return null
  } catch (error) {
    return `strace cannot trace here: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`
  }
}

/** SQLite as it is built here calls `fsync`; another build may call `fdatasync`. */
export const syncCalls = 'fsync,fdatasync'

export class Strace {
  readonly #path: string
  readonly #detach: () => Promise<void>

  private constructor(path: string, detach: () => Promise<void>) {
    this.#path = path
    this.#detach = detach
  }

  static async attach(stage: Stage, pid: number, { calls, fault, file }: Fault): Promise<Strace> {
    const path = join(stage.folder(), 'strace.txt')
    const only = file === undefined ? [] : ['-P', file]
    const what = [...only, '-e', `trace=${calls}`, '-e', `inject=${calls}:${fault}`]
    // `-s 0`: packet data stays out of the trace.
    const args = ['-f', '-ttt', '-T', '-s', '0', '-o', path, ...what, '-p', String(pid)]
    const child = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] })
    const exited = once(child, 'exit')
    const detach = async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
      await exited
    }
    stage.after(detach)
    await new Promise<void>((resolve, reject) => {
      const said: string[] = []
      createInterface({ input: child.stderr }).on('line', (line) => {
        said.push(line)
        if (/attached/.test(line)) resolve()
      })
      child.once('exit', (code) => reject(new Error(`strace ended with ${code}: ${said.join(' ')}`)))
    })
    return new Strace(path, detach)
  }

  /** The system calls so far, in the order in which they were entered. */
  calls(): readonly TracedCall[] {
    const calls: { at: number; returnedAt: number; name: string; text: string; isInjected: boolean }[] = []
    const unfinished = new Map<string, (typeof calls)[number]>()
    for (const line of readFileSync(this.#path, 'utf8').split('\n')) {
      const [, thread = '', seconds, text = ''] = /^(\d+)\s+(\d+\.\d+) (.*)$/.exec(line) ?? []
      const isInjected = /\((INJECTED|DELAYED)\)/.test(text)
      const name = /^(\w+)\(/.exec(text)?.[1]
      if (name !== undefined) {
        const at = Number(seconds) * 1000
        const call = { at, returnedAt: returnOf(text, at), name, text, isInjected }
        calls.push(call)
        if (text.includes('<unfinished')) unfinished.set(thread, call)
        continue
      }
      const resumed = /^<\.\.\. \w+ resumed>/.test(text) ? unfinished.get(thread) : undefined
      if (resumed === undefined) continue
      resumed.isInjected ||= isInjected
      resumed.returnedAt = returnOf(text, resumed.at)
    }
    return calls
  }

  injected(): readonly TracedCall[] {
    return this.calls().filter(({ isInjected }) => isInjected)
  }

  /** The service goes on without the fault. */
  detach(): Promise<void> {
    return this.#detach()
  }
}

/** `-T` ends the line of a call that has returned with the seconds that it took. */
function returnOf(text: string, at: number): number {
  const seconds = /<(\d+\.\d+)>$/.exec(text)?.[1]
  return seconds === undefined ? Number.POSITIVE_INFINITY : at + Number(seconds) * 1000
}
