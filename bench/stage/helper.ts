/**
 * A helper process: load and supervisors run in processes of their own, so that neither their garbage nor their work
 * disturbs what is timed elsewhere. Questions and answers go over IPC; a helper ends when its parent is gone.
 */
import { type ChildProcess, fork } from 'node:child_process'
import type { Stage } from './stage.js'

interface Question {
  readonly id: number
  readonly name: string
  readonly input: unknown
}

type Answer = { readonly id: number } & ({ readonly output: unknown } | { readonly error: string })

export class Helper {
  readonly pid: number
  readonly #child: ChildProcess
  readonly #asked = new Map<number, { resolve(output: unknown): void; reject(error: Error): void }>()
  #nextId = 1

  constructor(stage: Stage, program: string) {
    this.#child = fork(program, { serialization: 'advanced' })
    stage.track(this.#child)
    this.pid = this.#child.pid as number
    this.#child.on('message', (answer: Answer) => this.#take(answer))
    this.#child.on('exit', (code, signal) => {
      for (const { reject } of this.#asked.values())
        reject(new Error(`a helper ended with ${code ?? signal}`))
      this.#asked.clear()
    })
  }

  /** Rejects when there is no answer after `msMax`. The caller knows the type of what it asks for. */
  ask<Output>(name: string, input: unknown, msMax: number): Promise<Output> {
    const id = this.#nextId++
    return new Promise<Output>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#asked.delete(id)
        reject(new Error(`a helper did not answer ${name} in ${msMax} ms`))
      }, msMax)
      const settle = () => clearTimeout(timer)
      this.#asked.set(id, {
        resolve: (output) => {
          settle()
          resolve(output as Output)
        },
        reject: (error) => {
          settle()
          reject(error)
        },
      })
      this.#child.send({ id, name, input } satisfies Question)
    })
  }

  #take(answer: Answer): void {
    const asked = this.#asked.get(answer.id)
    this.#asked.delete(answer.id)
    if ('error' in answer) asked?.reject(new Error(answer.error))
    else asked?.resolve(answer.output)
  }

  end(): void {
    this.#child.kill('SIGKILL')
  }
}

/** The other side: answers each question by the task of its name. Questions may overlap. */
export function serveTasks(tasks: Readonly<Record<string, (input: never) => unknown>>): void {
  process.on('disconnect', () => process.exit(0))
  // The parent decides when it ends; a Ctrl-C in the terminal reaches both.
  process.on('SIGINT', () => {})
  process.on('message', async ({ id, name, input }: Question) => {
    try {
      const output = await tasks[name]?.(input as never)
      process.send?.({ id, output } satisfies Answer)
    } catch (error) {
      process.send?.({
        id,
        error: error instanceof Error ? String(error.stack) : String(error),
      } satisfies Answer)
    }
  })
}
