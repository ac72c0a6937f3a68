/** The simulation on a copy of the compiled code with a bug put into it. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Edit } from '../torture/patched-build.js'

type Simulate = typeof import('./simulation.js').simulate

/** What the simulation is made of, below `build/`. */
const parts = ['src/store', 'src/protocol', 'src/errors.js', 'src/limits.js', 'src/clock.js', 'src/quoted.js']
const tests = ['test/cluster', 'test/support/memory-log.js', 'test/torture/random.js']

/** `done` removes the copy. Throws where an edit no longer fits. */
export async function patchedSimulation(
  edits: readonly Edit[],
): Promise<{ simulate: Simulate; done(): void }> {
  const folder = mkdtempSync(join(tmpdir(), 'voicestream-cluster-'))
  for (const part of [...parts, ...tests]) {
    mkdirSync(dirname(join(folder, part)), { recursive: true })
    cpSync(join('build', part), join(folder, part), { recursive: true })
  }
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  for (const { file, find, replace } of edits) {
    const text = readFileSync(join(folder, file), 'utf8')
    const count = text.split(find).length - 1
    if (count !== 1)
      throw new Error(`the patch no longer fits: ${file} has ${JSON.stringify(find)} ${count} times`)
    writeFileSync(
      join(folder, file),
      text.replace(find, () => replace),
    )
  }
  const { simulate } = (await import(pathToFileURL(join(folder, 'test/cluster/simulation.js')).href)) as {
    simulate: Simulate
  }
  return { simulate, done: () => rmSync(folder, { recursive: true, force: true }) }
}
