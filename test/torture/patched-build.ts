/** A copy of `dist/` with a bug put into it, for scenarios that must find it. */
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Stage } from './stage.js'

export interface Edit {
  /** Below `dist/`. */
  readonly file: string
  /** Must stand there exactly once, or the edit no longer fits. */
  readonly find: string
  readonly replace: string
}

/** The folder to name in `VSTEST_DIST`. Throws when an edit no longer fits: then it says nothing about the tests. */
export function patchedBuild(stage: Stage, edits: readonly Edit[]): string {
  const folder = stage.folder()
  const dist = join(folder, 'dist')
  cpSync('dist', dist, { recursive: true })
  cpSync('package.json', join(folder, 'package.json'))
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'))
  for (const { file, find, replace } of edits) {
    const path = join(dist, file)
    const text = readFileSync(path, 'utf8')
    const count = text.split(find).length - 1
    if (count !== 1)
      throw new Error(`the patch no longer fits: ${file} has ${JSON.stringify(find)} ${count} times`)
    // A function, because a text would have its `$` read as a pattern.
    writeFileSync(
      path,
      text.replace(find, () => replace),
    )
  }
  return dist
}
