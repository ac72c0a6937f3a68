/**
 * Compiles sources and tests into an empty `build/` and runs every test file there with node's own runner.
 *
 * A runner that finds no test passes, so the count is asserted: every `*.test.ts` must have been compiled, and at
 * least one test must have run for each. Words narrow the files: `npm test -- receive-log http/`.
 */
import { execFileSync, spawn } from 'node:child_process'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const words = process.argv.slice(2)
rmSync('build', { recursive: true, force: true })
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.test.json'], {
  stdio: 'inherit',
})

const find = (folder, ending) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith(ending))
    .sort()
const sources = find('test', '.test.ts')
const compiled = find('build/test', '.test.js')
if (sources.length === 0 || compiled.length !== sources.length)
  throw new Error(`${sources.length} test files, but ${compiled.length} compiled ones`)

const chosen = compiled.filter((path) => words.length === 0 || words.some((word) => path.includes(word)))
if (chosen.length === 0) throw new Error(`no test file matches ${words.join(' ')}`)

const runner = spawn(
  process.execPath,
  [
    '--test',
    '--test-concurrency=2',
    '--test-reporter=spec',
    ...chosen.map((path) => join('build/test', path)),
  ],
  { stdio: ['ignore', 'pipe', 'inherit'] },
)
let tail = ''
runner.stdout.on('data', (chunk) => {
  process.stdout.write(chunk)
  tail = (tail + chunk).slice(-4096)
})
runner.on('close', (code) => {
  const ran = Number(/tests (\d+)/.exec(tail)?.[1] ?? 0)
  if (code === 0 && ran < chosen.length) {
    console.error(`only ${ran} tests ran in ${chosen.length} files`)
    process.exit(1)
  }
  process.exit(code ?? 1)
})
