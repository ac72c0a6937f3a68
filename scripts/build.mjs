/** Compiles `src/`, bundles the page and, once both have succeeded, puts the result in place of `dist/`. */
import { execFileSync } from 'node:child_process'
import { renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { bundleDashboard } from './dashboard.mjs'

const fresh = 'dist.new'
rmSync(fresh, { recursive: true, force: true })
execFileSync(
  process.execPath,
  ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json', '--outDir', fresh],
  {
    stdio: 'inherit',
  },
)
await bundleDashboard(join(fresh, 'dashboard'))
rmSync('dist', { recursive: true, force: true })
renameSync(fresh, 'dist')
