/** Who analyses calls: what the settings must say for that, and what stops the start. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { createProvider } from '../../src/composition/provider.js'
import { ConfigError, readConfig } from '../../src/config/config.js'
import { temporaryFolder } from '../support/service.js'

type Settings = Readonly<Record<string, string>>

const canary = 'canary-key-0123456789'
const whole: Settings = {
  AI_PROVIDER: 'openai',
  AI_BASE_URL: 'https://api.example.com/v1',
  AI_API_KEY: canary,
  AI_TRANSCRIPTION_MODEL: 'whisper-1',
  AI_CHAT_MODEL: 'gpt-4o-mini',
}

function providerOf(settings: Settings) {
  const environment = Object.fromEntries(
    Object.entries(settings).map(([key, value]) => [`VOICESTREAM_${key}`, value]),
  )
  return createProvider(readConfig({ args: [], environment, dotEnv: null }))
}

function refusal(settings: Settings): string {
  try {
    providerOf(settings).close?.()
  } catch (error) {
    assert(error instanceof ConfigError, String(error))
    assert(!error.message.includes(canary), error.message)
    assert(!error.message.includes('\n'), 'one line')
    return error.message
  }
  return assert.fail(`${JSON.stringify(settings)} was not refused`)
}

function keyFile(t: TestContext, text: string, mode = 0o600): string {
  const path = join(temporaryFolder(t), 'key')
  writeFileSync(path, text, { mode })
  return path
}

describe('the provider', () => {
  for (const name of ['simulated', 'local'])
    test(`${name} needs nothing, and refuses a server that nobody would ask`, () => {
      assert.equal(providerOf({ AI_PROVIDER: name }).name, name)
      for (const setting of ['AI_BASE_URL', 'AI_API_KEY', 'AI_API_KEY_FILE', 'AI_CHAT_BASE_URL'])
        assert.match(
          refusal({ AI_PROVIDER: name, [setting]: setting.endsWith('URL') ? 'https://host/v1' : canary }),
          new RegExp(`^${setting} is set, but AI_PROVIDER is ${name}`),
        )
    })

  test('openai needs a server and both models, and a key only where the server does', () => {
    for (const setting of ['AI_BASE_URL', 'AI_TRANSCRIPTION_MODEL', 'AI_CHAT_MODEL'])
      assert.match(refusal({ ...whole, [setting]: '' }), new RegExp(`^AI_PROVIDER=openai needs ${setting}`))
    for (const settings of [whole, { ...whole, AI_API_KEY: '' }]) {
      const provider = providerOf(settings)
      assert.equal(provider.name, 'openai')
      provider.close?.()
    }
  })

  test('sends nothing unencrypted over a network, unless it is told so', () => {
    for (const host of ['127.0.0.1:9000', '127.9.9.9', 'localhost:8000', '[::1]:8000'])
      providerOf({ ...whole, AI_BASE_URL: `http://${host}/v1` }).close?.()
    for (const host of [
      'speaches:8000',
      '10.0.0.7',
      'localhost.example.com',
      '[::2]',
      '0.0.0.0',
      '128.0.0.1',
    ]) {
      const settings = { ...whole, AI_BASE_URL: `http://${host}/v1` }
      assert.match(refusal(settings), /^AI_BASE_URL is http to another machine/)
      providerOf({ ...settings, AI_ALLOW_HTTP: 'true' }).close?.()
    }
    assert.match(refusal({ ...whole, AI_CHAT_BASE_URL: 'http://10.0.0.7/v1' }), /^AI_CHAT_BASE_URL is http/)
  })

  test('wants a URL that is nothing but one', () => {
    for (const url of ['api.example.com', 'file:///etc/passwd', 'ftp://host/', 'https://'])
      assert.match(refusal({ ...whole, AI_BASE_URL: url }), /^AI_BASE_URL is not an http or https URL$/)
    for (const url of [`https://u:${canary}@h/v1`, `https://h/v1?key=${canary}`, `https://h/v1#${canary}`])
      assert.match(
        refusal({ ...whole, AI_BASE_URL: url }),
        /no user, password, query or fragment|must not contain/,
      )
  })

  test('takes its key from a file that nobody else can read', (t) => {
    const AI_API_KEY_FILE = keyFile(t, `${canary}\n`)
    providerOf({ ...whole, AI_API_KEY: '', AI_API_KEY_FILE }).close?.()
    assert.match(refusal({ ...whole, AI_API_KEY_FILE }), /both set/)
    const with_ = (path: string) => refusal({ ...whole, AI_API_KEY: '', AI_API_KEY_FILE: path })
    assert.match(with_(keyFile(t, canary, 0o644)), /AI_API_KEY_FILE .* is readable by other users/)
    assert.match(with_('/no/such/file'), /AI_API_KEY_FILE \/no\/such\/file cannot be read \(ENOENT\)/)
    assert.match(with_(keyFile(t, ' \n')), /is empty/)
    assert.match(with_(keyFile(t, `${canary}\nand another line`)), /is not a valid key/)
  })

  test('refuses a key that would break a header', () => {
    for (const key of [`${canary}\r\nX-Evil: 1`, `${canary} x`, `${canary}ü`, canary.repeat(50)])
      assert.match(refusal({ ...whole, AI_API_KEY: key }), /is not a valid key/)
  })

  test('has a key of its own for a chat server of its own, and none without one', () => {
    providerOf({
      ...whole,
      AI_CHAT_BASE_URL: 'https://chat.example.com/v1',
      AI_CHAT_API_KEY: canary,
    }).close?.()
    assert.match(refusal({ ...whole, AI_CHAT_API_KEY: canary }), /AI_CHAT_BASE_URL/)
  })
})
