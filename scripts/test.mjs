/**
 * Compiles sources and tests, and runs the test files, several at a time.
 *
 *   npm test                              all of them
 *   npm test -- receive-log http/         those whose path has one of these words
 *   npm test -- --verbose receive-log     every test by its name, not only a line a file
 *   VSTEST_FILES=2 npm test               so many files at a time; otherwise as many as there are cores
 *
 * A runner that finds no test passes, so the count is asserted: every `*.test.ts` must have been compiled, and at
 * least one test must run in each.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from './compile.mjs'
import { endTestFiles, runTestFiles } from './run-test-files.mjs'

/** The longest, which are begun first: at the end they would run alone. Each run tells the slowest ten. */
const longest = [
  'dashboard/page',
  'provider/faults',
  'media/asterisk',
  'recovery/power-cut',
  'recovery/damaged-rows',
  'provider/heard-words',
  'faults/resumes',
  'faults/shared-log',
  'package/tarball',
  'recovery/bad-database',
  'recovery/failing-disk',
  'dashboard/behind-prefix',
  'cli/commands',
  'recovery/damaged-bytes',
  'contract/sqlite-journal',
  'store/sqlite/erasing/erasure',
]

const { values, positionals: words } = parseArgs({
  options: { verbose: { type: 'boolean', default: false } },
  allowPositionals: true,
})
await build({ withTests: true, ifChanged: true })

const find = (folder, ending) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith(ending))
    .sort()
const sources = find('test', '.test.ts')
const compiled = find('build/test', '.test.js')
if (sources.length === 0 || compiled.length !== sources.length)
  throw new Error(`${sources.length} test files, but ${compiled.length} compiled ones`)

const files = compiled.map((path) => ({
  name: path.replace('.test.js', ''),
  path: join('build/test', path),
  source: join('test', path.replace('.js', '.ts')),
}))
for (const name of longest)
  if (!files.some((file) => file.name === name))
    throw new Error(`${name}, one of the longest, is no test file`)
const first = longest.flatMap((name) => files.filter((file) => file.name === name))
const chosen = [...new Set([...first, ...files])].filter(
  ({ source }) => words.length === 0 || words.some((word) => source.includes(word)),
)
if (chosen.length === 0) throw new Error(`no test file matches ${words.join(' ')}`)

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => {
    endTestFiles()
    process.exit(1)
  })
process.exitCode = await runTestFiles(chosen, { isVerbose: values.verbose })
