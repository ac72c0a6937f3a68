/**
 * Notices that a file of the database was removed or replaced under the service. SQLite goes on with the file that it has
 * open, so what is acknowledged from then on would be found by nobody.
 */
import { type BigIntStats, statSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { limits } from '../../../limits.js'
import { databasePath } from './database.js'
import { lockPath } from './instance-lock.js'

/** Without the lock a second process could start; the other two hold what is acknowledged. */
export function filesOf(dataDir: string): readonly string[] {
  const path = databasePath(dataDir)
  return [path, `${path}-wal`, lockPath(dataDir)]
}

export class FileWatch {
  readonly #known: ReadonlyMap<string, string>
  readonly #changed: (error: Error) => void
  readonly #timer: NodeJS.Timeout
  #isLooking = false
  #isStopped = false

  /** `changed` is called once, with a message for people. */
  constructor(paths: readonly string[], changed: (error: Error) => void) {
    this.#known = new Map(paths.map((path) => [path, identityOf(statSync(path, { bigint: true }))]))
    this.#changed = changed
    this.#timer = setInterval(() => void this.#look(), limits.filesLookMs).unref()
  }

  stop(): void {
    this.#isStopped = true
    clearInterval(this.#timer)
  }

  /** At most one at a time: a disk that hangs holds it up, and nothing else. */
  async #look(): Promise<void> {
    if (this.#isLooking) return
    this.#isLooking = true
    for (const [path, identity] of this.#known) {
      const isThere = await isFile(path, identity)
      if (this.#isStopped) return
      if (isThere) continue
      this.stop()
      this.#changed(new Error(`${path} was removed or replaced while the service ran`))
      break
    }
    this.#isLooking = false
  }
}

function identityOf({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`
}

async function isFile(path: string, identity: string): Promise<boolean> {
  try {
    return identityOf(await stat(path, { bigint: true })) === identity
  } catch (error) {
    // Whether the disk works is for the commits to say.
    return !['ENOENT', 'ENOTDIR'].includes(String((error as NodeJS.ErrnoException).code))
  }
}
