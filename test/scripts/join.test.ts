/**
 * What a start loads. Guards against hundreds of small files, of which a process and each of its threads read every one
 * before they do anything: typebox has 683, which were two thirds of the time of a short command.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { mainPath, temporaryFolder } from '../support/service.js'

const hook = (listPath: string) => `import { appendFileSync } from 'node:fs'
export async function load(url, context, next) {
  appendFileSync(${JSON.stringify(listPath)}, url + '\\n')
  return next(url, context)
}`

test('a command loads few files, and of packages only what finds compiled code', (t) => {
  const folder = temporaryFolder(t)
  const list = join(folder, 'loaded.txt')
  writeFileSync(list, '')
  writeFileSync(join(folder, 'hook.mjs'), hook(list))
  const loader = pathToFileURL(resolve(folder, 'hook.mjs')).href
  execFileSync(process.execPath, ['--no-warnings', '--loader', loader, mainPath(), 'serve', '--help'], {
    stdio: 'pipe',
  })
  const urls = readFileSync(list, 'utf8').trim().split('\n')
  const files = urls.filter((url) => url.startsWith('file:'))
  assert(files.some((url) => url.endsWith('/joined/main.js')))
  assert.deepEqual(
    files.filter((url) => /node_modules\/(?!better-sqlite3\/|uWebSockets\.js\/)/.test(url)),
    [],
  )
  assert(files.length < 30, `${files.length} files`)
})

test('the licence of each package that is joined comes with it', () => {
  const licences = readFileSync('dist/joined/LICENSES.txt', 'utf8')
  for (const name of ['pino', 'prom-client', 'typebox', 'xstate']) {
    const folder = join('node_modules', name)
    const file = readdirSync(folder).find((each) => each.toLowerCase() === 'license')
    assert(licences.includes(readFileSync(join(folder, file ?? ''), 'utf8')), name)
  }
})
