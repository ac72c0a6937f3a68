/** What stands in the files of a data folder, whatever SQLite makes of it. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** `text in file`, for each of the texts that some file holds. */
export function found(dataDir: string, texts: readonly string[]): readonly string[] {
  return readdirSync(dataDir).flatMap((name) => {
    const bytes = readFileSync(join(dataDir, name))
    return texts.filter((text) => bytes.includes(text)).map((text) => `${text} in ${name}`)
  })
}

/** Where the header, the pointers and the cells of a leaf page stand. */
export function usedBytes(file: Buffer, page: number): number[] {
  const start = (page - 1) * 4096
  const cells = file.readUInt16BE(start + 3)
  const content = file.readUInt16BE(start + 5)
  const range = (first: number, end: number) =>
    Array.from({ length: end - first }, (_, at) => start + first + at)
  return [...range(0, 8 + 2 * cells), ...range(content, 4096)]
}
