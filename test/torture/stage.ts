/**
 * What a scenario has set up, taken down in the opposite order: processes end before their folders go. A test hands
 * the work to its own `t.after`; the torture run clears the stage after each scenario.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { patience } from '../support/patience.js'
import { type Service, type ServiceOptions, startService } from '../support/service.js'

export class Stage {
  readonly #undo: (() => unknown)[] = []

  /** The stage of one test. */
  static of(t: TestContext): Stage {
    const stage = new Stage()
    t.after(() => stage.clear())
    return stage
  }

  after(undo: () => unknown): void {
    this.#undo.push(undo)
  }

  async clear(): Promise<void> {
    for (let undo = this.#undo.pop(); undo !== undefined; undo = this.#undo.pop()) await undo()
  }

  /** On a real disk: on a tmpfs an fsync costs nothing and shows nothing. */
  folder(): string {
    const folder = mkdtempSync(join(tmpdir(), 'voicestream-torture-'))
    this.after(() => rmSync(folder, { recursive: true, force: true }))
    return folder
  }

  service(options: ServiceOptions & { readonly dataDir: string }): Promise<Service> {
    // Nothing of the test context is used but `after`.
    return startService(this as unknown as TestContext, options)
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** What `work` comes to, or null when it takes longer (`patience`). Leaves no timer behind. */
export async function within<T>(ms: number, work: Promise<T>): Promise<{ readonly value: T } | null> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), patience(ms))
  })
  try {
    return await Promise.race([work.then((value) => ({ value })), late])
  } finally {
    clearTimeout(timer)
  }
}

/** Milliseconds since 1970 with fractions, comparable with the times of other processes on this machine. */
/**
 * What a process may take to end: its bound, and on a busy machine so many times what the same machine took to start it.
 * `startedMs` is measured in the same round, undisturbed.
 */
export function endMsMax(boundMs: number, startedMs: number): number {
  return Math.max(boundMs, 3 * startedMs)
}

export function epochMs(): number {
  return performance.timeOrigin + performance.now()
}

/** `kill -9`, and the end of it: afterwards its locks and its port are free. */
export async function killHard(service: Service): Promise<void> {
  service.kill('SIGKILL')
  await service.exited
  if (service.child.signalCode !== 'SIGKILL') throw new Error('the service ended before it was killed')
}
