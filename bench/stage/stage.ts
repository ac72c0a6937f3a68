/**
 * What a run leaves behind: nothing. Owns one folder on a real disk and every process that was started; both are gone
 * after `clear`, which runs at the end, after a failure, and on a signal alike. It is synchronous, because a signal
 * handler and `exit` leave no time to wait.
 */
import type { ChildProcess } from 'node:child_process'
import {
  closeSync,
  cpSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
} from 'node:fs'
import { join } from 'node:path'
import { unfitFolder } from '../measure/environment.js'

export class Stage {
  readonly folder: string
  readonly #children = new Set<ChildProcess>()
  #folders = 0

  /** Throws where figures would mean nothing. */
  constructor(parent: string) {
    mkdirSync(parent, { recursive: true })
    const real = realpathSync(parent)
    const reason = unfitFolder(real, readFileSync('/proc/mounts', 'utf8'))
    if (reason !== null) throw new Error(reason)
    this.folder = mkdtempSync(join(real, 'voicestream-bench-'))
  }

  /** The path of a folder that does not exist yet. */
  newFolder(name: string): string {
    return join(this.folder, `${name}-${++this.#folders}`)
  }

  /** A copy of a database that no process has open. */
  copyFolder(source: string, label: string): string {
    const copy = this.newFolder(label)
    cpSync(source, copy, { recursive: true })
    // Otherwise the kernel would write the copy out while somebody measures on it.
    for (const name of readdirSync(copy)) {
      const file = openSync(join(copy, name), 'r+')
      fsyncSync(file)
      closeSync(file)
    }
    return copy
  }

  removeFolder(folder: string): void {
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  }

  /** The child is killed by `clear` unless it has ended. */
  track(child: ChildProcess): void {
    this.#children.add(child)
    child.once('exit', () => this.#children.delete(child))
  }

  endAll(): void {
    for (const child of this.#children) child.kill('SIGKILL')
    this.#children.clear()
  }

  clear(): void {
    this.endAll()
    this.removeFolder(this.folder)
  }
}
