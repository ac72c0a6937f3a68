/**
 * `npm start` from a checkout. Guards against an ended npm that leaves the service running, against a build for nothing (under
 * a running service, too), and against a start that serves what the sources no longer say.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import { temporaryFolder } from '../support/service.js'

const packageFile = JSON.parse(readFileSync('package.json', 'utf8')) as {
  readonly scripts: Readonly<Record<string, string>>
}

test('npm passes SIGTERM on to the service, which stops and leaves no process behind', async (t) => {
  const npm = spawn('npm', ['start', '--silent', '--', '--port', '0', '--data-dir', temporaryFolder(t)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.after(() => npm.kill('SIGKILL'))
  const errors = text(npm.stderr)
  const ended = once(npm, 'exit')
  const messages: string[] = []
  for await (const line of createInterface({ input: npm.stdout })) {
    const { msg } = JSON.parse(line)
    messages.push(msg)
    if (msg === 'listening') npm.kill('SIGTERM')
  }
  // The service holds the pipe for as long as it lives.
  assert.equal(messages.at(-1), 'stopped')
  await ended
  assert.equal(await errors, '', 'nothing was built: `npm test` has just done so')
})

describe('a build', () => {
  test('is made again when a source has changed, and not when only its time has', (t) => {
    const folder = temporaryFolder(t)
    const page = ['dashboard', 'protocol', 'client', 'limits.ts', 'errors.ts', 'quoted.ts'].map((name) =>
      join('src', name),
    )
    for (const name of ['scripts', 'tsconfig.json', 'package.json', 'package-lock.json', ...page])
      cpSync(name, join(folder, name), { recursive: true })
    // Not the whole service, whose compilation takes ten seconds.
    writeFileSync(join(folder, 'src', 'main.ts'), "import './word.js'\n")
    symlinkSync(resolve('node_modules'), join(folder, 'node_modules'))
    const source = join(folder, 'src', 'word.ts')
    const [command = ''] = packageFile.scripts['start']?.split(' && ') ?? []
    assert.equal(command, 'node scripts/build.mjs --if-changed')
    const build = () =>
      execFileSync('sh', ['-c', `${command} 2>&1`], { cwd: folder, encoding: 'utf8', stdio: 'pipe' })
    const built = () => readFileSync(join(folder, 'dist', 'word.js'), 'utf8')

    writeFileSync(source, 'export const word = "first"\n')
    assert.match(build(), /^building dist\/ …\n$/)
    assert.match(built(), /first/)
    const later = Date.now() / 1000 + 60
    utimesSync(source, later, later)
    assert.equal(build(), '')
    writeFileSync(source, 'export const word = "second"\n')
    assert.match(build(), /^building dist\/ …\n$/)
    assert.match(built(), /second/)
    writeFileSync(source, 'export const word: number = "third"\n')
    assert.throws(build, { stdout: /TS2322/ })
    assert.match(built(), /second/, 'what is there stays until there is something better')
  })
})
