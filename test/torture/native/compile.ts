/** The libraries in C that are put in front of the service (`LD_PRELOAD`), built on the machine that runs them. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import type { Stage } from '../stage.js'
import type { Unavailable } from '../verdict.js'

export function compilerUnavailable(): Unavailable {
  if (process.platform !== 'linux') return 'libraries are put in front of a process with LD_PRELOAD of Linux'
  try {
    execFileSync('cc', ['--version'], { stdio: 'pipe' })
    return null
  } catch {
    return 'there is no C compiler (cc)'
  }
}

/** Returns the path of the library. */
export function compile(stage: Stage, name: 'power-cut' | 'clock-jump'): string {
  const library = join(stage.folder(), `${name}.so`)
  const source = `test/torture/native/${name}.c`
  execFileSync('cc', [
    '-O2',
    '-Wall',
    '-Werror',
    '-shared',
    '-fPIC',
    '-o',
    library,
    source,
    '-ldl',
    '-lpthread',
  ])
  return library
}
