/**
 * What `secure_delete` leaves behind: when SQLite rebuilds a b-tree page (`rebuildPage` in btree.c), it packs the cells
 * at the end and does not clear the room before them, so copies of rows stay there after the rows have gone. Of 600
 * erased calls 20 to 30 could still be read from such gaps. They mean nothing to SQLite, so they are cleared in the file.
 *
 *     | header | cell pointers | gap: cleared here | cells |      https://www.sqlite.org/fileformat2.html#b_tree_pages
 *
 * Only while the log is empty and nobody commits: then the file holds the current version of every page. A reader sees
 * the same cells before and after, and a page that a power cut tears differs in its gap only.
 */
import { readSync, writeSync } from 'node:fs'

const pageBytes = 4096
/** The first page begins with the header of the database. */
const databaseHeaderBytes = 100
const flags = { interiorIndex: 2, interiorTable: 5, leafIndex: 10, leafTable: 13 } as const
const depthMax = 20
const zeros = Buffer.alloc(pageBytes)

export interface GapSweep {
  /** Pages that are looked at beyond the inner ones that lead to them. */
  readonly skip: number
  readonly limit: number
}

/** Returns how many leaves were looked at: fewer than `limit` when there are no more. */
export function clearGaps(file: number, roots: readonly number[], { skip, limit }: GapSweep): number {
  const sweeper = new Sweeper(file, skip, limit)
  for (const root of roots) sweeper.visit(root, 0)
  return sweeper.visited
}

class Sweeper {
  readonly #file: number
  readonly #limit: number
  #toSkip: number
  visited = 0

  constructor(file: number, skip: number, limit: number) {
    this.#file = file
    this.#toSkip = skip
    this.#limit = limit
  }

  visit(pageNumber: number, depth: number): void {
    if (this.visited >= this.#limit) return
    if (depth > depthMax) throw new Error(`page ${pageNumber} lies deeper than a b-tree can`)
    const page = Buffer.allocUnsafe(pageBytes)
    const at = (pageNumber - 1) * pageBytes
    if (readSync(this.#file, page, 0, pageBytes, at) < pageBytes)
      throw new Error(`page ${pageNumber} is not in the file`)
    const header = pageNumber === 1 ? databaseHeaderBytes : 0
    const flag = page[header]
    const isInterior = flag === flags.interiorIndex || flag === flags.interiorTable
    if (!isInterior && flag !== flags.leafIndex && flag !== flags.leafTable)
      throw new Error(`page ${pageNumber} is not of a b-tree`)
    const cells = page.readUInt16BE(header + 3)
    const pointers = header + (isInterior ? 12 : 8)
    if (isInterior) {
      this.#clear(page, at, pointers + 2 * cells, page.readUInt16BE(header + 5))
      for (let i = 0; i < cells; i++)
        this.visit(page.readUInt32BE(page.readUInt16BE(pointers + 2 * i)), depth + 1)
      this.visit(page.readUInt32BE(header + 8), depth + 1)
      return
    }
    if (this.#toSkip > 0) {
      this.#toSkip--
      return
    }
    this.visited++
    this.#clear(page, at, pointers + 2 * cells, page.readUInt16BE(header + 5))
  }

  #clear(page: Buffer, at: number, first: number, end: number): void {
    if (end <= first || end > pageBytes) return
    const gap = page.subarray(first, end)
    if (gap.equals(zeros.subarray(0, gap.length))) return
    gap.fill(0)
    writeSync(this.#file, gap, 0, gap.length, at + first)
  }
}
