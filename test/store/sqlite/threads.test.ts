/**
 * The threads of the store load what they need and nothing else. Guards against the schemas of the protocol, which came
 * with one word of it: each thread then read some hundred files, which was two fifths of what a start costs, and 36 MiB.
 * And guards against lists and transcripts that take the processor from ingest: 2,400 MiB of them in 40 s halved its rate.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { getPriority } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { openJournal } from '../../support/sqlite.js'

const folder = 'dist/store/sqlite'
const importLine = /^(?:(?:import|export)\s[^'"()=;]*\sfrom\s|import\s)['"]([^'"]+)['"]/gm
/** What `scripts/join.mjs` has put into a file. */
const joinedLine = /^\/\/ (?:\.\.\/)*node_modules\/((?:@[^/]+\/)?[^/]+)\//gm

/** Packages that a program of ours loads, by whatever way. */
function packagesOf(program: string): readonly string[] {
  const seen = new Set([program])
  const packages = new Set<string>()
  for (const file of seen) {
    const text = readFileSync(file, 'utf8')
    for (const [, name = ''] of text.matchAll(joinedLine)) packages.add(name)
    for (const [, name = ''] of text.matchAll(importLine))
      if (name.startsWith('.')) seen.add(join(dirname(file), name))
      else if (!isBuiltin(name)) packages.add(name)
  }
  return [...packages]
}

test('the threads of the store load SQLite and no other package', () => {
  const threads = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('-thread.js'),
  )
  assert(threads.length >= 4, threads.join())
  for (const thread of threads) assert.deepEqual(packagesOf(join(folder, thread)), ['better-sqlite3'], thread)
  const serve = readdirSync('dist/joined').find((name) => name.startsWith('serve-'))
  for (const name of ['xstate', 'typebox'])
    assert(packagesOf(`dist/joined/${serve}`).includes(name), `${name} would be found`)
})

/** Of each thread of this process, the 19th member of its stat (proc(5)); the name before it may have spaces. */
const nicenessOfThreads = () =>
  readdirSync('/proc/self/task').map((id) => {
    const stat = readFileSync(`/proc/self/task/${id}/stat`, 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16])
  })

test('only the thread that reads lists and transcripts yields to the others', {
  skip: process.platform !== 'linux',
}, async (t) => {
  const own = getPriority()
  await openJournal(t)
  const yielding = nicenessOfThreads().filter((niceness) => niceness > own)
  assert.deepEqual(yielding, [Math.min(own + 5, 19)])
})
