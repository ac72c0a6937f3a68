/** Where the service may listen without knowing who asks. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, type TestContext, test } from 'node:test'
import { checkExposure, isLoopback } from '../../src/config/listening-rules.js'
import { credentialSettings } from '../support/credentials.js'
import { mainPath, type Service, startService, temporaryFolder } from '../support/service.js'

const exposed = { hasCredentials: false, allowsUnauthenticated: false, hasTls: false }

/** Starts the service where it must not start: its exit code and its output. */
function refusedStart(t: TestContext, settings: Readonly<Record<string, string>>) {
  const all = { PORT: '0', DATA_DIR: temporaryFolder(t), ...settings }
  const variables = Object.entries(all).map(([key, value]) => [`VOICESTREAM_${key}`, value])
  return new Promise<{ code: unknown; output: string }>((resolve) => {
    const env = { ...process.env, ...Object.fromEntries(variables) }
    execFile(process.execPath, [mainPath()], { env, timeout: 20_000 }, (error, stdout, stderr) =>
      resolve({ code: error?.code, output: stdout + stderr }),
    )
  })
}

/** What it warns of at its start beside who runs it and how long calls are kept. */
function warningsOf({ log }: Service): readonly string[] {
  return log
    .filter(({ level }) => level === 40)
    .map(({ msg }) => String(msg))
    .filter((text) => !/running as root|kept forever/.test(text))
}

describe('without credentials', () => {
  test('loopback is every address of 127.0.0.0/8, ::1, and the names for them', async () => {
    for (const address of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1'])
      assert(isLoopback(address), address)
    for (const address of [
      '0.0.0.0',
      '::',
      '128.0.0.1',
      '126.255.255.255',
      '10.0.0.1',
      '::2',
      '::ffff:10.0.0.1',
    ])
      assert(!isLoopback(address), address)
    for (const host of ['127.0.0.1', '127.1.2.3', 'localhost', '::1'])
      assert.deepEqual(await checkExposure({ host, ...exposed }), [], host)
  })

  test('any other address is refused with a line that says what to do', async () => {
    for (const host of ['0.0.0.0', '::', '10.0.0.1'])
      await assert.rejects(checkExposure({ host, ...exposed }), {
        name: 'ConfigError',
        message: /is not a loopback address and no credentials are set: .*ALLOW_UNAUTHENTICATED=true/,
      })
    await assert.rejects(checkExposure({ host: 'no-such-host.invalid', ...exposed }), /cannot be resolved/)
  })

  test('the service does not start there: one line, exit code 78', async (t) => {
    const { code, output } = await refusedStart(t, { HOST: '0.0.0.0' })
    assert.equal(code, 78)
    assert.match(output, /HOST 0\.0\.0\.0 is not a loopback address and no credentials are set/)
    assert(!output.includes('listening'))
  })

  test('it starts there when told so, and warns', async (t) => {
    const service = await startService(t, { settings: { HOST: '0.0.0.0', ALLOW_UNAUTHENTICATED: 'true' } })
    const warnings = warningsOf(service)
    assert.equal(warnings.length, 2)
    assert.match(String(warnings[0]), /plain HTTP/)
    assert.match(String(warnings[1]), /everybody who reaches this address may write, read and delete/)
  })
})

describe('with credentials', () => {
  test('every address is fine, and plain HTTP on one that is not loopback is warned of', async (t) => {
    const service = await startService(t, { settings: { HOST: '0.0.0.0', ...credentialSettings } })
    const warnings = warningsOf(service)
    assert.equal(warnings.length, 1)
    assert.match(String(warnings[0]), /plain HTTP on an address that is not loopback/)
    const hasTls = { ...exposed, hasCredentials: true, hasTls: true }
    assert.deepEqual(await checkExposure({ host: '0.0.0.0', ...hasTls }), [])
  })

  test('bad ones stop the start with a line that does not repeat them, exit code 78', async (t) => {
    for (const settings of [
      { SUPERVISOR_TOKENS: 'canary' },
      { TOKENS_FILE: '/no/such/canary' },
      { TLS_CERT_FILE: '/no/such/cert.pem', TLS_KEY_FILE: '/no/such/key.pem' },
      { TLS_CERT_FILE: '/no/such/cert.pem' },
      { ALLOWED_ORIGINS: '*' },
      { PUBLIC_URL: 'voice.example.com' },
      { PUBLIC_URL: 'https://voice.example.com?a=1' },
      { TRUSTED_PROXIES: '10.0.0.0/33' },
    ]) {
      const { code, output } = await refusedStart(t, settings)
      assert.equal(code, 78, output)
      assert.equal(output.split('\n').filter((line) => line.includes('cannot start')).length, 1, output)
      if ('SUPERVISOR_TOKENS' in settings) assert(!output.includes('canary'), output)
    }
  })
})
