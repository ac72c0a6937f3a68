/** The command line: which command runs, what is said of it, and how it ends. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import { runCommand, runProgram } from '../support/command.js'
import { get, mainPath, quickSettings, startService, temporaryFolder } from '../support/service.js'

const commands = ['serve', 'simulate', 'backup', 'verify', 'export', 'cluster']

describe('voicestream', () => {
  test('lists its commands and the settings of the service', async () => {
    const { code, out } = await runProgram(['--help'])
    assert.equal(code, 0)
    for (const command of commands) assert.match(out.toString(), new RegExp(`^ {2}${command} `, 'm'))
    assert.match(out.toString(), /--data-dir/)
  })

  for (const command of commands)
    test(`${command} --help tells its options, exit codes and examples, and does nothing`, async () => {
      const { code, out, err } = await runCommand([command, '--help'])
      assert.equal(code, 0)
      assert.equal(err, '')
      assert.match(out.toString(), new RegExp(`voicestream ${command}`))
      assert.match(out.toString(), /Exit codes?:/)
      assert.match(out.toString(), /Examples\n {2}\S/)
    })

  test('tells its version', async () => {
    const { code, out } = await runProgram(['--version'])
    assert.equal(code, 0)
    assert.equal(out.toString().trim(), JSON.parse(readFileSync('package.json', 'utf8')).version)
  })

  test('refuses an unknown command in one line, with exit code 64', async () => {
    for (const word of ['srve', 'constructor', '__proto__'])
      assert.deepEqual(await runProgram([word]), {
        code: 64,
        out: Buffer.alloc(0),
        err: `voicestream: unknown command "${word}"; see --help\n`,
      })
  })

  test('quotes of a long word no more than its beginning', async () => {
    const long = 'x'.repeat(60_000)
    for (const words of [
      [long],
      ['verify', `--${long}`],
      ['export', 'c1', '--format', long],
      ['simulate', 'a.wav', '--speed', long],
      ['--port', long],
    ]) {
      const { code, err } = await runCommand(words)
      assert.notEqual(code, 0)
      assert(err.length < 1000, `${words[0]?.slice(0, 20)}: ${err.length} characters`)
    }
  })

  for (const [words, code, fact] of [
    [['verify', '--jsn'], 64, /Unknown option '--jsn'/],
    [['verify', 'a', 'b'], 64, /one FILE/],
    [['verify', 'a', '--data-dir', 'b'], 64, /either FILE or --data-dir/],
    [['verify', '/nowhere/x.db'], 66, /no database/],
    [['backup'], 64, /one FILE/],
    [['backup', '/tmp/x', '--data-dir', '/nowhere'], 66, /no database \/nowhere\/voicestream.db/],
    [['export'], 64, /one CALL_ID/],
    [['export', '..'], 64, /call id/],
    [['export', 'c1', '--rate', '8k'], 64, /--rate must be an integer from 1/],
    [['export', 'c1', '--encoding', 'opus'], 64, /--encoding must be one of mulaw, alaw, pcm_s16le/],
    [['export', 'c1', '--format', 'mp3'], 64, /--format must be one of wav, ndjson/],
    [['export', 'c1', '--data-dir', '/nowhere'], 66, /no database/],
    [['serve', '--prot', '1'], 78, /unknown flag --prot/],
    [['--port', 'x'], 78, /--port: "x" is not allowed for PORT/],
  ] as const)
    test(`${words.join(' ')} ends with ${code} and a line that says why`, async () => {
      const ended = await runCommand(words)
      assert.equal(ended.code, code)
      assert.match(ended.err, fact)
      assert.equal(ended.err.trim().split('\n').length, 1)
      assert.equal(ended.out.length, 0)
    })

  test('takes a setting by its variable as well as by its flag, and lets those of others be', async () => {
    const environment = { VOICESTREAM_DATA_DIR: '/nowhere/else', VOICESTREAM_PORT: 'not a port' }
    const { code, err } = await runCommand(['verify'], environment)
    assert.equal(code, 66)
    assert.match(err, /\/nowhere\/else\/voicestream.db/)
    assert.equal((await runProgram(['serve'], environment)).code, 78)
    assert.equal((await runCommand(['verify'], { VOICESTREAM_DATADIR: 'x' })).code, 78)
  })
})

test('an error that nothing has caught is the last line of the log, and ends the service with 1', async (t) => {
  const planted = "process.on('SIGUSR2', () => { throw new TypeError('planted') })"
  const service = await startService(t, {
    wrapper: ['env', `NODE_OPTIONS=--import=data:text/javascript,${encodeURIComponent(planted)}`],
  })
  service.kill('SIGUSR2')
  assert.equal(await service.exited, 1)
  assert.deepEqual(service.errors, [])
  const { level, err, msg } = service.log.at(-1) ?? {}
  assert.equal(level, 60)
  assert.match(String(msg), /unexpected error/)
  assert.equal((err as { message: string }).message, 'planted')
})

test('a part of the program that is not there is told in one line', async (t) => {
  const folder = temporaryFolder(t)
  cpSync(dirname(mainPath()), join(folder, 'dist'), { recursive: true })
  cpSync('package.json', join(folder, 'package.json'))
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'))
  const joined = join(folder, 'dist/joined')
  const [name = ''] = readdirSync(joined).filter((each) => each.startsWith('serve-'))
  rmSync(join(joined, name))
  const child = spawn(process.execPath, [join(folder, 'dist/main.js'), 'serve'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const [[code], err] = await Promise.all([once(child, 'exit'), text(child.stderr)])
  assert.equal(code, 1)
  assert.match(err, /^voicestream: Cannot find module .*serve-\w+\.js/)
  assert.equal(err.trim().split('\n').length, 1)
})

test('a signal that arrives twice at once asks for one stop', async (t) => {
  const service = await startService(t)
  service.kill('SIGTERM')
  service.kill('SIGTERM')
  assert.equal(await service.exited, 0)
})

test('SIGUSR1 does not open the inspector, nor does SIGUSR2 end the service', async (t) => {
  const service = await startService(t)
  for (const signal of ['SIGUSR1', 'SIGUSR2', 'SIGUSR1', 'SIGUSR2'] as const) {
    service.kill(signal)
    assert.equal((await get(service, '/health/live')).status, 200)
  }
  service.kill('SIGTERM')
  assert.equal(await service.exited, 0)
  assert.deepEqual(service.errors, [])
})

test('a program whose files are replaced while it starts says so in one line', async (t) => {
  // Node printed its own page of an uncaught error.
  const folder = temporaryFolder(t)
  cpSync(mainPath(), join(folder, 'main.js'))
  cpSync(mainPath('joined'), join(folder, 'joined'), { recursive: true })
  const [commands] = readdirSync(join(folder, 'joined')).filter((name) => /^commands-.*\.js$/.test(name))
  assert(commands !== undefined)
  rmSync(join(folder, 'joined', commands))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  const child = spawn(process.execPath, [join(folder, 'main.js')], { stdio: ['ignore', 'pipe', 'pipe'] })
  const said = text(child.stderr)
  const [code] = await once(child, 'exit')
  assert.equal(code, 1)
  assert.match(await said, /^voicestream: an unexpected error: Cannot find module .*\n$/)
})

for (const words of [[], ['serve']])
  test(`voicestream ${words.join('')} serves, and stops on SIGTERM with 0`, async (t) => {
    const folder = temporaryFolder(t)
    const child = spawn(process.execPath, [mainPath(), ...words, '--port', '0', '--data-dir', folder], {
      env: { ...process.env, VOICESTREAM_GRACE_PERIOD_MS: String(quickSettings.GRACE_PERIOD_MS) },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    t.after(() => child.kill('SIGKILL'))
    const ended = once(child, 'exit')
    for await (const line of createInterface({ input: child.stdout }))
      if (JSON.parse(line).msg === 'listening') child.kill('SIGTERM')
    assert.deepEqual(await ended, [0, null])
  })
