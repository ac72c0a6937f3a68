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
