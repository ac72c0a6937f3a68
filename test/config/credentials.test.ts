/** Tokens: where they come from, what they may be, and that nothing ever repeats one. */
import assert from 'node:assert/strict'
import { createHmac, hash } from 'node:crypto'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { ConfigError } from '../../src/config/config.js'
import { type CredentialSources, Credentials } from '../../src/config/credentials.js'
import { limits } from '../../src/limits.js'
import { temporaryFolder } from '../support/service.js'

const none: CredentialSources = {
  INGEST_TOKENS: '',
  SUPERVISOR_TOKENS: '',
  ADMIN_TOKENS: '',
  TOKENS_FILE: '',
  PUBLIC_URL: '',
}
const first = 'first-token-canary-1'
const second = 'second-token-canary-2'

function refusal(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    assert(error instanceof ConfigError)
    assert(!error.message.includes('canary'), 'a message never repeats a token')
    return error.message
  }
  return assert.fail('was not refused')
}

function tokensFile(t: TestContext, text: string, mode = 0o600): string {
  const path = join(temporaryFolder(t), 'tokens')
  writeFileSync(path, text, { mode })
  chmodSync(path, mode)
  return path
}

describe('credentials', () => {
  test('are several of each role, each found whole and as nothing else', () => {
    const credentials = new Credentials({
      ...none,
      INGEST_TOKENS: `${first}, ${second}`,
      ADMIN_TOKENS: 'third-token-canary-3==',
    })
    assert.equal(credentials.isEmpty, false)
    assert.deepEqual(
      [first, second, 'third-token-canary-3=='].map((token) => {
        const found = credentials.find(token)
        return [found?.role, found?.name]
      }),
      [
        ['ingest', 'ingest-1'],
        ['ingest', 'ingest-2'],
        ['admin', 'admin-1'],
      ],
    )
    for (const token of [
      '',
      first.slice(1),
      `${first} `,
      first.toUpperCase(),
      `${first},${second}`,
      'é'.repeat(20),
    ])
      assert.equal(credentials.find(token), null, token)
    assert.equal(credentials.find('x'.repeat(limits.tokenCharactersMax + 1)), null)
    assert.equal(new Credentials(none).isEmpty, true)
    assert.equal(new Credentials(none).find(''), null)
  })

  test('are refused when they are short, long, strange, given twice or too many', () => {
    const ingest = (text: string) => refusal(() => new Credentials({ ...none, INGEST_TOKENS: text }))
    assert.match(ingest('canary'), /^INGEST_TOKENS, token 1: a token has 16 to 256 characters/)
    assert.match(ingest(`${first},`), /^INGEST_TOKENS, token 2: a token has 16/)
    assert.match(ingest(`canary${'x'.repeat(256)}`), /a token has 16 to 256/)
    assert.match(ingest('canary with words in it'), /a token may contain only/)
    assert.match(ingest('canary-é-canary-é-canary'), /a token may contain only/)
    assert.match(ingest(`${first},${first}`), /token 2: duplicate token/)
    assert.match(
      refusal(() => new Credentials({ ...none, INGEST_TOKENS: first, SUPERVISOR_TOKENS: first })),
      /^SUPERVISOR_TOKENS, token 1: duplicate token; each token has one role/,
    )
    const many = Array.from({ length: limits.credentialsMax + 1 }, (_, n) => `canary-token-number-${n}`)
    assert.match(ingest(many.join(',')), /65 tokens are set; the maximum is 64/)
  })

  test('come from a file of role, token and name, with comments', (t) => {
    const path = tokensFile(t, `# the PBX\r\ningest ${first} pbx-north\n\n  supervisor\t${second}\n`)
    const credentials = new Credentials({ ...none, TOKENS_FILE: path, ADMIN_TOKENS: 'third-token-canary-3' })
    assert.deepEqual([credentials.find(first)?.role, credentials.find(first)?.name], ['ingest', 'pbx-north'])
    assert.equal(credentials.find(second)?.name, 'supervisor-line-4')
    assert.equal(credentials.find('third-token-canary-3')?.role, 'admin')
  })

  test('come from a file that begins with a byte order mark', (t) => {
    const TOKENS_FILE = tokensFile(t, `\ufeffingest ${first} pbx\n`)
    assert.equal(new Credentials({ ...none, TOKENS_FILE }).find(first)?.name, 'pbx')
  })

  test('are not taken from a file that others can read, that is not there, or that is wrong', (t) => {
    const file = (text: string, mode?: number) => {
      const TOKENS_FILE = tokensFile(t, text, mode)
      return refusal(() => new Credentials({ ...none, TOKENS_FILE }))
    }
    for (const mode of [0o640, 0o604, 0o622])
      assert.match(file(`ingest ${first}\n`, mode), /readable by other users; run chmod 600/, String(mode))
    assert.match(
      refusal(() => new Credentials({ ...none, TOKENS_FILE: '/no/such/file' })),
      /TOKENS_FILE \/no\/such\/file cannot be read \(ENOENT\)/,
    )
    assert.match(file('# nothing\n'), /contains no token/)
    assert.match(file(`${first} ingest\n`), /line 1: expected "role token \[name\]"/)
    assert.match(file(`\ningest ${first} a b\n`), /line 2: expected "role token/)
    assert.match(file('ingest\n'), /line 1: a token has 16/)
    assert.match(file(`ingest ${first} na/me\n`), /line 1: a name has/)
  })

  test('of platforms are lines of their own, each with what its platform signs with', (t) => {
    const TOKENS_FILE = tokensFile(
      t,
      [
        `twilio AC1 ${first} old`,
        `twilio AC1 ${second}`,
        `plivo MA1 ${first}`,
        `audiohook key-1 ${Buffer.alloc(16, 7).toString('base64')} genesys`,
        'telnyx telnyx-token-canary-1',
      ].join('\n'),
    )
    const credentials = new Credentials({ ...none, TOKENS_FILE, PUBLIC_URL: 'https://vs.example.test' })
    assert.equal(credentials.isEmpty, false, 'closed for everybody else')
    const shown = (dialect: string) => credentials.ofPlatform(dialect).map(({ id, name }) => [id, name])
    assert.deepEqual(shown('twilio'), [
      ['AC1', 'old'],
      ['AC1', 'twilio-line-2'],
    ])
    assert.deepEqual(shown('telnyx'), [['', 'telnyx-line-5']])
    assert.deepEqual(shown('vonage'), [])
    assert.equal(credentials.find(first), null, 'a secret of a platform is no token')
    const [old] = credentials.ofPlatform('twilio')
    assert(old !== undefined && credentials.holds(old))
    writeFileSync(TOKENS_FILE, `twilio AC1 ${second}\n`)
    credentials.reload()
    assert(!credentials.holds(old))
  })

  test('of platforms are refused when they are short, incomplete, twice there, or sign an address that is not set', (t) => {
    const file = (text: string, PUBLIC_URL = 'https://vs.example.test') => {
      const TOKENS_FILE = tokensFile(t, text)
      return refusal(() => new Credentials({ ...none, TOKENS_FILE, PUBLIC_URL }))
    }
    assert.match(file(`twilio ${first}`), /line 1: expected "twilio ACCOUNT_SID AUTH_TOKEN \[name\]"/)
    assert.match(file(`twilio AC1 ${first} a b`), /expected "twilio/)
    assert.match(file('twilio AC1 canary'), /the AUTH_TOKEN has at least 16 characters/)
    assert.match(file('telnyx canary'), /the TOKEN has at least 16/)
    assert.match(file(`twilio AC1 canary-é-canary-é-canary`), /all of them ASCII/)
    assert.match(file(`plivo MA1 canary${'x'.repeat(256)}`), /at most 256 characters/)
    assert.match(file(`twilio AC1 ${first} na/me`), /line 1: a name has/)
    assert.match(file(`twilio AC1 ${first} a\ntwilio AC1 ${first} b`), /line 2: duplicate line/)
    // An empty secret would let unsigned requests in.
    assert.match(file('audiohook key-1'), /expected "audiohook API_KEY CLIENT_SECRET \[name\]"/)
    assert.match(file('audiohook key-1 canary'), /CLIENT_SECRET is base64 of at least 16 bytes/)
    assert.match(file('audiohook key-1 canary-canary-canary-canary'), /CLIENT_SECRET is base64/)
    for (const platform of ['twilio', 'plivo'])
      assert.match(file(`${platform} X1 ${first}`, ''), /signs the address that it calls, so set PUBLIC_URL/)
  })

  test('for one call are made of an ingest token, and open nothing else', () => {
    const credentials = new Credentials({ ...none, INGEST_TOKENS: first, SUPERVISOR_TOKENS: second })
    const made = (call: string, token = first) =>
      `${call}.${createHmac('sha256', hash('sha256', token, 'hex'))
        .update(call)
        .digest('base64url')}`
    assert.equal(credentials.findForStream(first)?.onlyCall, null)
    for (const call of ['CA1', 'v3:a.b-c_d', 'a call'])
      assert.deepEqual(
        [
          credentials.findForStream(made(call))?.onlyCall,
          credentials.findForStream(made(call))?.credential.name,
        ],
        [call, 'ingest-1'],
      )
    for (const token of [
      made('CA1', second),
      made('CA1', 'nobody-token-canary'),
      made('').slice(1),
      made(''),
      `${made('CA1')}A`,
      made('CA1').slice(0, -1),
      made('CA1').replace('CA1', 'CA2'),
      made('x'.repeat(300)),
    ])
      assert.equal(credentials.findForStream(token), null)
    assert.equal(credentials.find(made('CA1')), null, 'no token of a request')
  })

  test('are read anew from their file, and stay as they were when it is bad', (t) => {
    const TOKENS_FILE = tokensFile(t, `ingest ${first}\n`)
    const credentials = new Credentials({ ...none, TOKENS_FILE })
    const old = credentials.find(first)
    assert(old !== null && credentials.holds(old))
    writeFileSync(TOKENS_FILE, `ingest ${first}\ningest ${second}\n`)
    credentials.reload()
    assert(credentials.find(second) !== null)
    assert(credentials.holds(old), 'it is still there, though read anew')
    writeFileSync(TOKENS_FILE, `ingest ${second}\n`)
    credentials.reload()
    assert.equal(credentials.find(first), null)
    assert.equal(credentials.holds(old), false)
    // Guards against a rotation that opens the service because its file was cut short.
    for (const text of ['', `ingest ${second}\nnobody ${first}\n`]) {
      writeFileSync(TOKENS_FILE, text)
      refusal(() => credentials.reload())
      assert(credentials.find(second) !== null)
    }
    writeFileSync(TOKENS_FILE, `supervisor ${second}\n`)
    const ofIngest = credentials.find(second)
    credentials.reload()
    assert(
      ofIngest !== null && !credentials.holds(ofIngest),
      'the same token with another role is another one',
    )
  })
})
