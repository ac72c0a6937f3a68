/**
 * What `npm pack` makes, installed into an empty folder: `npx voicestream` must find all that it needs there. The
 * packages that it depends on are linked, because fetching and compiling them takes minutes.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, symlinkSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, type TestContext, test } from 'node:test'
import { temporaryFolder } from '../support/service.js'

const packageFile = JSON.parse(readFileSync('package.json', 'utf8')) as {
  readonly version: string
  readonly bin: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
}

/** As `npm install ./voicestream-0.1.0.tgz` leaves it. `dist/` is what `npm test` has built: packing builds it otherwise. */
function install(t: TestContext): string {
  const folder = temporaryFolder(t)
  const modules = join(folder, 'node_modules')
  mkdirSync(join(modules, '.bin'), { recursive: true })
  const run = (command: string, args: readonly string[]) =>
    execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  const [packed] = JSON.parse(
    run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder]),
  )
  run('tar', ['-xzf', join(folder, packed.filename), '-C', modules])
  renameSync(join(modules, 'package'), join(modules, 'voicestream'))
  for (const name of Object.keys(packageFile.dependencies)) {
    mkdirSync(dirname(join(modules, name)), { recursive: true })
    symlinkSync(resolve('node_modules', name), join(modules, name))
  }
  for (const [name, path] of Object.entries(packageFile.bin)) {
    chmodSync(join(modules, 'voicestream', path), 0o755)
    symlinkSync(join('..', 'voicestream', path), join(modules, '.bin', name))
  }
  return folder
}

describe('the packed package in an empty folder', () => {
  test('runs with npx: its version, its service and the simulated PBX with the example', async (t) => {
    const folder = install(t)
    const npx = (words: readonly string[]) =>
      spawn('npx', ['--offline', 'voicestream', ...words], {
        cwd: folder,
        env: { ...process.env, VOICESTREAM_LOG_LEVEL: 'info' },
        stdio: ['ignore', 'pipe', 'inherit'],
      })
    const version = npx(['--version'])
    const [line] = await once(createInterface({ input: version.stdout }), 'line')
    assert.equal(line, packageFile.version)

    const service = spawn(
      join(folder, 'node_modules', '.bin', 'voicestream'),
      ['serve', '--port', '0', '--ai-simulated-failure-rate', '0', '--ai-simulated-latency-min-ms', '1'],
      { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] },
    )
    t.after(() => service.kill('SIGKILL'))
    const ended = once(service, 'exit')
    const port = await new Promise<number>((listening) =>
      createInterface({ input: service.stdout }).on('line', (text) => {
        const entry = JSON.parse(text)
        if (entry.msg === 'listening') listening(entry.port)
      }),
    )
    const wav = join('node_modules', 'voicestream', 'examples', 'support-call.wav')
    const url = `http://127.0.0.1:${port}`
    const simulation = npx(['simulate', wav, '--url', url, '--calls', '2', '--speed', '200', '--loss', '2'])
    assert.deepEqual(await once(simulation, 'exit'), [0, null])
    for (const path of ['/docs', '/docs/swagger-ui-bundle.js'])
      assert.equal((await fetch(url + path)).status, 200, path)
    assert(!existsSync(join(folder, 'node_modules', 'swagger-ui-dist')), 'it comes with the package')
    const verify = npx(['verify'])
    assert.deepEqual(await once(verify, 'exit'), [0, null])
    service.kill('SIGTERM')
    assert.deepEqual(await ended, [0, null])
  })

  test('brings no package with an install script but the database’s', () => {
    const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
      readonly packages: Readonly<Record<string, { dev?: true; hasInstallScript?: true }>>
    }
    const scripted = Object.entries(packages).filter(
      ([, { dev, hasInstallScript }]) => !dev && hasInstallScript,
    )
    assert.deepEqual(
      scripted.map(([path]) => path),
      ['node_modules/better-sqlite3'],
    )
  })

  test('holds what it runs with and what people read, and nothing else', () => {
    const listed = execFileSync('npm', ['pack', '--json', '--dry-run', '--ignore-scripts'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const [{ files }] = JSON.parse(listed) as [{ files: readonly { path: string }[] }]
    const paths = files.map(({ path }) => path)
    for (const wanted of [
      'dist/main.js',
      'dist/store/sqlite/writing/writer-thread.js',
      'dist/joined/writer-thread.js',
      'dist/joined/LICENSES.txt',
      'dist/client/supervisor-client.js',
      'dist/client/supervisor-client.d.ts',
      'dist/swagger-ui/swagger-ui-bundle.js',
      'dist/swagger-ui/LICENSE',
      'docs/operations.md',
      'examples/support-call.wav',
      'LICENSE',
      'README.md',
      'CHANGELOG.md',
    ])
      assert(paths.includes(wanted), wanted)
    const stray = paths.filter(
      (path) =>
        !/^(dist\/.+\.(js|d\.ts|html|css|svg)|(docs|examples|ops|dist\/dashboard|dist\/swagger-ui)\/.+|dist\/joined\/LICENSES\.txt|\.env\.example|[A-Z]+(\.md)?|package\.json)$/.test(
          path,
        ),
    )
    assert.deepEqual(stray, [])
  })
})
