/**
 * The threads of the store load what they need and nothing else. Guards against the schemas of the protocol, which came
 * with one word of it: each thread then read some hundred files, which was two fifths of what a start costs, and 36 MiB.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'

const folder = 'dist/store/sqlite'
const importLine = /^(?:(?:import|export)\s[^'"()=;]*\sfrom\s|import\s)'([^']+)'/gm

/** Packages that a program of ours loads, by whatever way. */
function packagesOf(program: string): readonly string[] {
  const seen = new Set([program])
  const packages = new Set<string>()
  for (const file of seen)
    for (const [, name = ''] of readFileSync(file, 'utf8').matchAll(importLine)) {
      if (name.startsWith('.')) seen.add(join(dirname(file), name))
      else if (!name.startsWith('node:')) packages.add(name)
    }
  return [...packages]
}

test('the threads of the store load SQLite and no other package', () => {
  const threads = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('-thread.js'),
  )
  assert(threads.length >= 4, threads.join())
  for (const thread of threads) assert.deepEqual(packagesOf(join(folder, thread)), ['better-sqlite3'], thread)
  assert(packagesOf('dist/app.js').includes('xstate'), 'what is looked for would be found')
})
