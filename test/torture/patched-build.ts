/** A copy of `dist/` with a bug put into it, for scenarios that must find it. */
import {
  copyFileSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import type { Stage } from './stage.js'

export interface Edit {
  /** Below `dist/`. */
  readonly file: string
  /** Must stand there exactly once, or the edit no longer fits. */
  readonly find: string
  readonly replace: string
}

/** The folder to name in `VSTEST_DIST`. */
export function patchedBuild(stage: Stage, edits: readonly Edit[]): string {
  const texts = edited(edits)
  const folder = stage.folder()
  const dist = join(folder, 'dist')
  cpSync('dist', dist, { recursive: true })
  takeApart(dist)
  cpSync('package.json', join(folder, 'package.json'))
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'))
  for (const [file, text] of texts) writeFileSync(join(dist, file), text)
  return dist
}

/** The files that the edits change. Throws when one no longer fits: then it says nothing about the tests. */
export function edited(edits: readonly Edit[]): ReadonlyMap<string, string> {
  const texts = new Map<string, string>()
  for (const { file, find, replace } of edits) {
    const text = texts.get(file) ?? readFileSync(compiledPath(file), 'utf8')
    const count = text.split(find).length - 1
    if (count !== 1)
      throw new Error(`the patch no longer fits: ${file} has ${JSON.stringify(find)} ${count} times`)
    // A function, because a text would have its `$` read as a pattern.
    texts.set(
      file,
      text.replace(find, () => replace),
    )
  }
  return texts
}

/** A program is joined, and as it was compiled it stays beside itself. */
function compiledPath(file: string): string {
  const apart = join('dist', file.replace(/\.js$/, '.apart.js'))
  return existsSync(apart) ? apart : join('dist', file)
}

/** Its programs run from their many files, not from `joined/`, in which an edit would be missing. */
function takeApart(dist: string): void {
  for (const name of readdirSync(dist, { recursive: true, encoding: 'utf8' }))
    if (name.endsWith('.apart.js'))
      copyFileSync(join(dist, name), join(dist, name.replace('.apart.js', '.js')))
}
