/**
 * A disk whose power can be cut: the service runs with `native/power-cut.c` in front of it, and at any moment it can be
 * held still while what is synced, what is only written, and what has been acknowledged by then are set aside. A run
 * yields many such moments, and each can be started from.
 */

import { copyFileSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { patience } from '../support/patience.js'
import type { History } from './attempts.js'
import type { LoadDriver } from './driver.js'
import { compile } from './native/compile.js'
import type { Random } from './random.js'
import { epochMs, type Stage, sleep } from './stage.js'

export interface Moment {
  /** A folder with what a power cut must leave: synced names, each with its synced content. */
  readonly synced: string
  /** The names as they were, each with its synced content: a name that is not synced may be on disk all the same. */
  readonly named: string
  /** A folder with everything that was written. */
  readonly written: string
  readonly history: History
  /** Sectors in which the two differ. */
  readonly unsyncedSectors: number
}

export const sectorBytes = 512
const stopMsMax = 5000
/** Answers that were sent before the cut arrive after it; the PBX has them, so they count. */
const arrivalMs = 20
const looksMax = 20
const betweenLooksMsMax = 4

export class PowerDisk {
  readonly dataDir: string
  readonly #twin: string
  readonly #library: string
  readonly #stage: Stage

  constructor(stage: Stage) {
    this.#stage = stage
    this.#library = compile(stage, 'power-cut')
    this.dataDir = stage.folder()
    this.#twin = stage.folder()
  }

  /** In front of the service's command. The id of its process is in `pidFile` as soon as there is one. */
  wrapper(preloads: readonly string[], pidFile: string): readonly string[] {
    const imports = preloads.map(
      (name) => `--import=${new URL(`./preload/${name}.js`, import.meta.url).href}`,
    )
    return [
      'sh',
      '-c',
      `echo $$ > ${pidFile}; exec "$@"`,
      'sh',
      'env',
      `LD_PRELOAD=${this.#library}`,
      `VSTEST_POWER_FOLDER=${this.dataDir}`,
      `VSTEST_POWER_TWIN=${this.#twin}`,
      `NODE_OPTIONS=${imports.join(' ')}`,
    ]
  }

  /** Syncs that reached the twin. */
  get syncs(): number {
    const path = join(this.#twin, '.syncs')
    return existsSync(path) ? statSync(path).size : 0
  }

  /** A cut when nothing waits for a sync takes nothing away, so it looks a few times for a moment that has something. */
  async moment(pid: number, driver: LoadDriver, random: Random): Promise<Moment> {
    for (let look = 1; ; look++) {
      process.kill(pid, 'SIGSTOP')
      try {
        await untilStopped(pid)
        const unsyncedSectors = differingSectors(this.#twin, this.dataDir)
        if (unsyncedSectors > 0 || look === looksMax) return await this.#setAside(driver, unsyncedSectors)
      } finally {
        process.kill(pid, 'SIGCONT')
      }
      await sleep(random.integer(0, betweenLooksMsMax))
    }
  }

  async #setAside(driver: LoadDriver, unsyncedSectors: number): Promise<Moment> {
    await sleep(arrivalMs)
    const history = driver.history()
    const synced = copyOf(this.#twin, this.#stage.folder())
    const written = copyOf(this.dataDir, this.#stage.folder())
    const named = this.#stage.folder()
    for (const name of filesIn(this.dataDir)) {
      const { ino } = statSync(join(this.dataDir, name))
      copyFileSync(join(this.#twin, `.ino-${ino}`), join(named, name))
    }
    return { synced, named, written, history, unsyncedSectors }
  }
}

/** A thread that is inside a sync stops when it comes out of it. */
async function untilStopped(pid: number): Promise<void> {
  const until = epochMs() + patience(stopMsMax)
  const isStopped = (thread: string) =>
    / \(.*\) [TtZX] /.test(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8'))
  while (!readdirSync(`/proc/${pid}/task`).every(isStopped)) {
    if (epochMs() > until) throw new Error(`process ${pid} does not stop`)
    await sleep(1)
  }
}

/** The shared memory of the log is not read after a crash. */
export function filesIn(folder: string): readonly string[] {
  return readdirSync(folder).filter((name) => !name.startsWith('.') && !name.endsWith('-shm'))
}

export function copyOf(from: string, to: string): string {
  for (const name of filesIn(from)) copyFileSync(join(from, name), join(to, name))
  return to
}

function differingSectors(one: string, other: string): number {
  let differing = 0
  for (const name of new Set([...filesIn(one), ...filesIn(other)])) {
    // Only its kernel lock means something.
    if (name.startsWith('voicestream.lock')) continue
    const [a, b] = [one, other].map((folder) => contentOf(join(folder, name))) as [Buffer, Buffer]
    for (let at = 0; at < Math.max(a.length, b.length); at += sectorBytes)
      if (!a.subarray(at, at + sectorBytes).equals(b.subarray(at, at + sectorBytes))) differing++
  }
  return differing
}

export function contentOf(path: string): Buffer {
  return existsSync(path) ? readFileSync(path) : Buffer.alloc(0)
}
