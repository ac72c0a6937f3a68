/** Guards against a CONTRIBUTING.md that names files and scripts which are no longer there. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'

const text = readFileSync('CONTRIBUTING.md', 'utf8')
const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  readonly scripts: Readonly<Record<string, string>>
}

test('CONTRIBUTING.md names files and scripts that there are, on one screen', () => {
  const paths = [...text.matchAll(/`((?:src|test|ops)\/[^`]*)`/g)].map(([, path = '']) => path)
  assert(paths.length > 10)
  assert.deepEqual(
    paths.filter((path) => !path.includes('NAME') && !existsSync(path)),
    [],
  )
  const names = [...text.matchAll(/npm run ([a-z:]+)/g)].map(([, name = '']) => name)
  assert(names.length >= 5)
  assert.deepEqual(
    names.filter((name) => !(name in scripts)),
    [],
  )
  assert(text.split('\n').length <= 60)
})
