/** What a person at a terminal reads of the service. Guards against a screen of JSON in which the address is to be found. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { describe, type TestContext, test } from 'node:test'
import { runProgram } from '../support/command.js'
import { mainPath, startService, temporaryFolder } from '../support/service.js'

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { readonly version: string }

/** util-linux's `script` gives a command a terminal of its own. */
const skip = spawnSync('script', ['--version']).status !== 0 && 'there is no util-linux script here'

async function onTerminal(t: TestContext, words: readonly string[], until: RegExp): Promise<string> {
  const command = ['echo pid $$; exec', process.execPath, mainPath(), ...words].join(' ')
  const child = spawn('script', ['-qefc', command, '/dev/null'], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  let seen = ''
  let isEnding = false
  child.stdout.on('data', (chunk) => {
    seen += chunk
    const [, pid] = /^pid (\d+)\r$/m.exec(seen) ?? []
    if (isEnding || pid === undefined || !until.test(seen)) return
    isEnding = true
    process.kill(Number(pid), 'SIGTERM')
  })
  await once(child, 'close')
  return seen
}

describe('on a terminal', { skip }, () => {
  test('a service says in one line where it is, who may come in and who analyses', async (t) => {
    const seen = await onTerminal(t, ['--port', '0', '--data-dir', temporaryFolder(t)], /provider:.*\r\n/)
    const [, port] = /"port":(\d+),"msg":"listening"/.exec(seen) ?? []
    const line = `VoiceStream ${version} · http://127.0.0.1:${port} · no tokens: loopback only · provider: simulated`
    assert(seen.includes(`${line} (25 % of its attempts fail on purpose)\r\n`), seen)
  })

  test('a start that is refused says why in words', async (t) => {
    const taken = await startService(t)
    const seen = await onTerminal(t, ['--port', '0', '--data-dir', taken.dataDir], /never/)
    assert.match(seen, /^voicestream: cannot start: another instance uses the data folder \S+\r$/m)
  })
})

test('elsewhere stderr stays empty, and the first line has the settings that differ from the defaults', async (t) => {
  const service = await startService(t, { settings: { ALLOWED_HOSTS: 'voice.example' } })
  const [first] = service.log
  const config = first?.['config'] as Record<string, unknown>
  assert.equal(config['ALLOWED_HOSTS'], 'voice.example')
  assert(!('HOST' in config) && !('LOG_LEVEL' in config), JSON.stringify(config))
  assert.deepEqual(service.errors, [])
  const refused = await runProgram(['--port', '0', '--data-dir', service.dataDir])
  assert.deepEqual([refused.code, refused.err], [1, ''])
})
