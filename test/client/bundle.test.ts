/** Guards against a schema, or a part of Node, in the bundle of a page. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'

function importsOf(file: string, seen = new Set<string>()): ReadonlySet<string> {
  if (seen.has(file)) return seen
  seen.add(file)
  for (const [, name = ''] of readFileSync(file, 'utf8').matchAll(/from '([^']+)'/g)) {
    if (name.startsWith('.')) importsOf(join(dirname(file), name), seen)
    else seen.add(name)
  }
  return seen
}

test('the client is made of its own files, and of nothing else', () => {
  const entry = JSON.parse(readFileSync('package.json', 'utf8')).exports['./client'].default
  const files = [...importsOf(entry)].map((file) => relative('dist/client', file))
  assert.deepEqual(files.sort(), ['backoff.js', 'socket-url.js', 'supervisor-client.js'])
})
