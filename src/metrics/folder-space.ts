/**
 * The size of the database on its disk, and the space left there. Read beside the scrape that asks, and told at the next
 * one: a disk that hangs must not keep the metrics back, because that is when they are wanted.
 */
import { readdir, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'

export interface Space {
  /** Of all files in the folder, the log included. NaN while it is not known. */
  readonly usedBytes: number
  /** Space for the service; the reserve of the super-user is not counted. */
  readonly freeBytes: number
}

const unknown: Space = { usedBytes: Number.NaN, freeBytes: Number.NaN }

export class FolderSpace {
  readonly #folder: string
  #space = unknown
  #reading: Promise<void> | null = null

  constructor(folder: string) {
    this.#folder = folder
  }

  /** The result of the last read; starts the next one. At most one is under way. */
  get latest(): Space {
    void this.read()
    return this.#space
  }

  read(): Promise<void> {
    this.#reading ??= this.#measure()
      .catch(() => unknown)
      .then((space) => {
        this.#space = space
        this.#reading = null
      })
    return this.#reading
  }

  async #measure(): Promise<Space> {
    const { bavail, bsize } = await statfs(this.#folder)
    const sizes = (await readdir(this.#folder)).map((name) => this.#sizeOf(name))
    return {
      usedBytes: (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0),
      freeBytes: bavail * bsize,
    }
  }

  async #sizeOf(name: string): Promise<number> {
    try {
      return (await stat(join(this.#folder, name))).size
    } catch {
      // It has gone since the folder was listed.
      return 0
    }
  }
}
