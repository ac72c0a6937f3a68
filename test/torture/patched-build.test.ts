import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { bugs } from './bugs.js'
import { edited, patchedBuild } from './patched-build.js'
import { Stage } from './stage.js'

const main = { file: 'main.js', find: 'await main();', replace: 'await $&();' }

test('an edit changes the copy, and not the build', (t) => {
  const dist = patchedBuild(Stage.of(t), [main])
  assert.match(readFileSync(join(dist, 'main.js'), 'utf8'), /await \$&\(\);/)
  assert.match(readFileSync('dist/main.apart.js', 'utf8'), /await main\(\);/)
  assert.match(readFileSync('dist/main.js', 'utf8'), /joined/)
  assert(existsSync(join(dist, '../node_modules/xstate')))
})

test('an edit that stands nowhere, or twice, stops the run and says so', (t) => {
  for (const find of ['no such line', 'const'])
    assert.throws(() => patchedBuild(Stage.of(t), [{ ...main, find }]), /the patch no longer fits: main\.js/)
})

// After a change of the source: fit them again, or `npm run torture:bugs` shows nothing.
test('every seeded bug fits the build', () => {
  assert(bugs.length >= 6)
  for (const { name, edits } of bugs) assert.doesNotThrow(() => edited(edits), `the bug "${name}"`)
})
