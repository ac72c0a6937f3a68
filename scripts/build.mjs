/** Compiles `src/` and, once that has succeeded, puts the result in place of `dist/`. */
import { execFileSync } from 'node:child_process'
import { renameSync, rmSync } from 'node:fs'

const fresh = 'dist.new'
rmSync(fresh, { recursive: true, force: true })
execFileSync(
  process.execPath,
  ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json', '--outDir', fresh],
  {
    stdio: 'inherit',
  },
)
rmSync('dist', { recursive: true, force: true })
renameSync(fresh, 'dist')
