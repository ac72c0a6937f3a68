/**
 * What a start loads. Guards against a package of hundreds of small files, of which a process reads every one before it does
 * anything: typebox has 683, which were two thirds of the time of a short command.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { mainPath, temporaryFolder } from '../support/service.js'

const hook = (listPath: string) => `import { appendFileSync } from 'node:fs'
export async function load(url, context, next) {
  appendFileSync(${JSON.stringify(listPath)}, url + '\\n')
  return next(url, context)
}`

test('a command loads few files: none of typebox, and no lexicon', (t) => {
  const folder = temporaryFolder(t)
  const list = join(folder, 'loaded.txt')
  writeFileSync(list, '')
  writeFileSync(join(folder, 'hook.mjs'), hook(list))
  const loader = pathToFileURL(resolve(folder, 'hook.mjs')).href
  execFileSync(process.execPath, ['--no-warnings', '--loader', loader, mainPath(), 'serve', '--help'], {
    stdio: 'pipe',
  })
  const urls = readFileSync(list, 'utf8').trim().split('\n')
  assert(urls.some((url) => url.endsWith('/typebox/typebox.js')))
  assert.deepEqual(
    urls.filter((url) => /node_modules\/(typebox|vader-sentiment)\//.test(url)),
    [],
  )
  assert(urls.length < 500, `${urls.length} files`)
})
