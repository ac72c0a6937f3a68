/** Configuration: where a setting comes from, what it may be, and what is said when it may not. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Config, ConfigError, helpText, printable, readConfig } from '../../src/config/config.js'
import { settings } from '../../src/config/settings.js'

type Key = keyof typeof settings

interface Given {
  readonly args?: readonly string[]
  readonly environment?: Readonly<Record<string, string | undefined>>
  readonly dotEnv?: string | null
}

const read = ({ args = [], environment = {}, dotEnv = null }: Given = {}): Config =>
  readConfig({ args, environment, dotEnv })

function refusal(given: Given): string {
  try {
    read(given)
  } catch (error) {
    assert(error instanceof ConfigError)
    return error.message
  }
  return assert.fail(`${JSON.stringify(given)} was not refused`)
}

const variable = (key: string) => `VOICESTREAM_${key}`
const flag = (key: string) => `--${key.toLowerCase().replaceAll('_', '-')}`

const defaults: Record<Key, string | number | boolean> = {
  HOST: '127.0.0.1',
  PORT: 8000,
  DATA_DIR: './data',
  ACCEPT_DATA_LOSS: false,
  INGEST_TOKENS: '',
  SUPERVISOR_TOKENS: '',
  ADMIN_TOKENS: '',
  TOKENS_FILE: '',
  PUBLIC_URL: '',
  ALLOW_UNAUTHENTICATED: false,
  ALLOWED_ORIGINS: '',
  ALLOWED_HOSTS: '',
  TRUSTED_PROXIES: '',
  TLS_CERT_FILE: '',
  TLS_KEY_FILE: '',
  RATE_LIMIT_INGEST_PER_S: 0,
  RATE_LIMIT_READS_PER_S: 200,
  AUTH_FAILURES_PER_MIN: 10,
  SOCKETS_PER_CREDENTIAL_MAX: 1000,
  SOCKETS_PER_ADDRESS_MAX: 1000,
  METRICS_PUBLIC: false,
  LISTEN_NOTICE: false,
  RETENTION_DAYS: 0,
  GRACE_PERIOD_MS: 3000,
  LEG_GRACE_MS: 30_000,
  INSIGHT: true,
  INSIGHT_CHANNELS_MAX: 4000,
  ALERT_DEAD_AIR_MS: 15_000,
  ALERT_ONE_WAY_MS: 20_000,
  ALERT_OVERTALK_MS: 3000,
  ARI_MEDIA_CLIENT: 'voicestream',
  ARI_CONTEXTS: '',
  ARI_SHARE: 100,
  AUDIOSOCKET_CODEC: 'slin',
  AUDIOSOCKET_PAIRS: false,
  AUDIOSOCKET_PORT: 0,
  AUDIOSOCKET_HOST: '127.0.0.1',
  CALL_IDLE_TIMEOUT_MS: 900_000,
  DEFAULT_ENCODING: 'text',
  DEFAULT_SAMPLE_RATE: 8000,
  DEFAULT_CHANNELS: 1,
  AI_PROVIDER: 'simulated',
  AI_BASE_URL: '',
  AI_API_KEY: '',
  AI_API_KEY_FILE: '',
  AI_ALLOW_HTTP: false,
  AI_TRANSCRIPTION_MODEL: '',
  AI_CHAT_MODEL: '',
  AI_CHAT_BASE_URL: '',
  AI_CHAT_API_KEY: '',
  AI_CHAT_API_KEY_FILE: '',
  AI_LANGUAGE: '',
  AI_PIECE_MS: 300_000,
  REDACT: 'off',
  AI_SIMULATED_FAILURE_RATE: 0.25,
  AI_SIMULATED_LATENCY_MIN_MS: 1000,
  AI_SIMULATED_LATENCY_MAX_MS: 3000,
  AI_SIMULATED_SEED: 1,
  AI_MAX_ATTEMPTS: 5,
  AI_BUDGET_MS: 60_000,
  AI_BACKOFF_BASE_MS: 1000,
  AI_ATTEMPT_TIMEOUT_MS: 20_000,
  AI_CONCURRENCY: 64,
  AI_BREAKER_FAILURES: 10,
  AI_BREAKER_PROBE_MS: 1000,
  LOG_LEVEL: 'info',
}

/** Tokens: not to be given as flags, nor to be printed. */
const secrets: readonly string[] = [
  'INGEST_TOKENS',
  'SUPERVISOR_TOKENS',
  'ADMIN_TOKENS',
  'AI_API_KEY',
  'AI_CHAT_API_KEY',
]

/** What each setting may be at most and at least; numbers beside them are refused. */
const bounds: Partial<Record<Key, readonly [minimum: number, maximum: number]>> = {
  PORT: [0, 65_535],
  RATE_LIMIT_INGEST_PER_S: [0, 10_000_000],
  RATE_LIMIT_READS_PER_S: [0, 1_000_000],
  AUTH_FAILURES_PER_MIN: [0, 1_000_000],
  SOCKETS_PER_CREDENTIAL_MAX: [1, 1_000_000],
  SOCKETS_PER_ADDRESS_MAX: [1, 1_000_000],
  RETENTION_DAYS: [0, 36_500],
  GRACE_PERIOD_MS: [0, 86_400_000],
  LEG_GRACE_MS: [0, 86_400_000],
  INSIGHT_CHANNELS_MAX: [1, 100_000],
  ALERT_DEAD_AIR_MS: [0, 86_400_000],
  ALERT_ONE_WAY_MS: [0, 86_400_000],
  ALERT_OVERTALK_MS: [0, 86_400_000],
  ARI_SHARE: [0, 100],
  AUDIOSOCKET_PORT: [0, 65_535],
  CALL_IDLE_TIMEOUT_MS: [1000, 2_592_000_000],
  DEFAULT_SAMPLE_RATE: [4000, 192_000],
  DEFAULT_CHANNELS: [1, 8],
  AI_PIECE_MS: [60_000, 1_200_000],
  AI_SIMULATED_FAILURE_RATE: [0, 1],
  AI_SIMULATED_LATENCY_MIN_MS: [0, 600_000],
  AI_SIMULATED_LATENCY_MAX_MS: [0, 600_000],
  AI_SIMULATED_SEED: [0, 4_294_967_295],
  AI_MAX_ATTEMPTS: [1, 100],
  AI_BUDGET_MS: [1, 2_592_000_000],
  AI_BACKOFF_BASE_MS: [0, 3_600_000],
  AI_ATTEMPT_TIMEOUT_MS: [1, 3_600_000],
  AI_CONCURRENCY: [1, 10_000],
  AI_BREAKER_FAILURES: [0, 1000],
  AI_BREAKER_PROBE_MS: [1, 60_000],
}

/** A value that is not the default, where there is one: as text, and as what it is read to. */
function another(
  key: string,
  given: string | number | boolean,
): readonly [string, string | number | boolean] {
  if (typeof given === 'boolean') return ['true', true]
  if (key === 'AI_LANGUAGE') return ['de', 'de']
  if (key === 'AI_PIECE_MS') return ['70000', 70_000]
  if (given === '') return ['a text', 'a text']
  if (key === 'DEFAULT_ENCODING') return ['mulaw', 'mulaw']
  if (typeof given === 'string') return [given, given]
  if (key === 'DEFAULT_SAMPLE_RATE') return ['16000', 16_000]
  if (key === 'AI_SIMULATED_FAILURE_RATE') return ['0.75', 0.75]
  return ['AI_MAX_ATTEMPTS', 'AI_BREAKER_FAILURES', 'DEFAULT_CHANNELS', 'ARI_SHARE'].includes(key)
    ? ['7', 7]
    : ['2000', 2000]
}

describe('a setting', () => {
  test('has the default of the contract where nobody gives it', () => {
    assert.deepEqual(read(), defaults)
  })

  test('comes from a flag before the environment, from that before .env, and from that before the default', () => {
    const sources = {
      args: ['--port', '1'],
      environment: { VOICESTREAM_PORT: '2', VOICESTREAM_HOST: 'two' },
      dotEnv: 'VOICESTREAM_PORT=3\nVOICESTREAM_HOST=three\nVOICESTREAM_DATA_DIR="three folders"\n',
    }
    const { PORT, HOST, DATA_DIR, LOG_LEVEL } = read(sources)
    assert.deepEqual([PORT, HOST, DATA_DIR, LOG_LEVEL], [1, 'two', 'three folders', 'info'])
    assert.equal(read({ ...sources, args: [] }).PORT, 2)
    assert.equal(read({ dotEnv: sources.dotEnv }).PORT, 3)
  })

  test('can be given by its flag, by its variable and in .env, each of them', () => {
    for (const [key, given] of Object.entries(defaults)) {
      const [text, value] = another(key, given)
      for (const from of [
        ...(secrets.includes(key) ? [] : [{ args: [flag(key), text] }, { args: [`${flag(key)}=${text}`] }]),
        { environment: { [variable(key)]: text } },
        { dotEnv: `# a comment\n${variable(key)}=${text}\nOTHER=1\n` },
      ])
        assert.equal(read(from)[key as Key], value, JSON.stringify(from))
    }
  })

  test('is kept to its bounds', () => {
    assert.deepEqual(
      Object.keys(bounds),
      Object.entries(defaults).flatMap(([key, given]) => (typeof given === 'number' ? [key] : [])),
      'every number has bounds here',
    )
    for (const [key, [minimum, maximum]] of Object.entries(bounds)) {
      // The shortest latency may not be above the longest.
      const beside =
        key === 'AI_SIMULATED_LATENCY_MIN_MS' ? { VOICESTREAM_AI_SIMULATED_LATENCY_MAX_MS: '600000' } : {}
      const least =
        key === 'AI_SIMULATED_LATENCY_MAX_MS' ? { VOICESTREAM_AI_SIMULATED_LATENCY_MIN_MS: '0' } : {}
      for (const value of [minimum, maximum]) {
        const environment = { ...beside, ...least, [variable(key)]: String(value) }
        assert.equal(read({ environment })[key as Key], value)
      }
      for (const value of [minimum - 1, maximum + 1]) {
        const message = refusal({ environment: { ...beside, ...least, [variable(key)]: String(value) } })
        assert(
          message.includes(variable(key)) &&
            message.includes(String(minimum)) &&
            message.includes(String(maximum)),
        )
      }
    }
  })

  test('is refused when it is not what it must be, with a line that says which and why', () => {
    for (const text of [
      '',
      ' 8000',
      '8000 ',
      '0x10',
      '1e3',
      '80.5',
      'eight',
      '+1',
      '١',
      '99999999999999999999',
      'NaN',
    ])
      assert.match(
        refusal({ args: ['--port', text] }),
        /^--port: .* is not allowed for PORT; expected an integer from 0 to 65535$/,
      )
    assert.match(
      refusal({ environment: { VOICESTREAM_LOG_LEVEL: 'INFO' } }),
      /VOICESTREAM_LOG_LEVEL \(environment\): "INFO".*fatal, error, warn/,
    )
    for (const text of ['1', 'yes', 'TRUE', ''])
      assert.match(refusal({ args: [`--accept-data-loss=${text}`] }), /expected true or false$/)
    assert.match(refusal({ environment: { VOICESTREAM_AI_PROVIDER: 'magic' } }), /simulated/)
    assert.match(refusal({ dotEnv: 'VOICESTREAM_HOST=\n' }), /\(\.env\).*HOST/)
    assert.match(refusal({ args: ['--ai-simulated-latency-min-ms', '5000'] }), /MIN_MS is greater than/)
  })
})

describe('a .env file', () => {
  test('may begin with a byte order mark', () => {
    assert.equal(read({ dotEnv: '\ufeffVOICESTREAM_PORT=3\n' }).PORT, 3)
  })
})

describe('what a refusal quotes', () => {
  test('has a bound', () => {
    const long = 'x'.repeat(60_000)
    for (const given of [
      { args: ['--port', long] },
      { args: [`--${long}`] },
      { environment: { [`VOICESTREAM_${long}`]: '1' } },
      { environment: { VOICESTREAM_LOG_LEVEL: long } },
      { dotEnv: `VOICESTREAM_PORT=${long}` },
    ])
      assert(refusal(given).length < 400, refusal(given).slice(0, 500))
  })
})

describe('a name that is no setting', () => {
  test('stops the start, whoever gives it', () => {
    // Guards against a misspelt setting that silently has its default.
    assert.match(refusal({ args: ['--prot', '1'] }), /unknown flag --prot/)
    assert.match(refusal({ args: ['port', '1'] }), /unknown flag port/)
    assert.match(refusal({ args: ['-p', '1'] }), /unknown flag -p/)
    assert.match(refusal({ args: ['--PORT', '1'] }), /unknown flag --PORT/)
    assert.match(
      refusal({ environment: { VOICESTREAM_PROT: '1' } }),
      /unknown setting VOICESTREAM_PROT \(environment\)/,
    )
    assert.match(
      refusal({ dotEnv: 'VOICESTREAM_GRACE_MS=1' }),
      /unknown setting VOICESTREAM_GRACE_MS \(\.env\)/,
    )
    assert.match(refusal({ args: ['--port'] }), /--port needs a value/)
  })

  test('stops the start even when every object has something of that name', () => {
    for (const name of ['toString', 'constructor', 'hasOwnProperty', '__proto__'])
      assert.match(
        refusal({ environment: Object.fromEntries([[variable(name), '1']]) }),
        /unknown setting/,
        name,
      )
  })

  test('is none of ours without the prefix', () => {
    assert.deepEqual(read({ environment: { PORT: '1', VSTEST_SEED: '2', voicestream_port: '3' } }), defaults)
    assert.deepEqual(read({ environment: { VOICESTREAM_PORT: undefined } }), defaults)
  })
})

describe('a secret', () => {
  const canary = 'canary-0123456789'

  test('is refused as a flag, because every user of the machine can see those, and is not repeated', () => {
    for (const key of secrets)
      for (const args of [[flag(key), canary], [`${flag(key)}=${canary}`]]) {
        const message = refusal({ args })
        assert(message.includes(variable(key)), message)
        assert(!message.includes(canary), message)
      }
    assert(!refusal({ args: [`--ingest-token=${canary}`] }).includes(canary), 'a misspelt flag')
  })

  test('and all other settings are printed only where they differ from the defaults', () => {
    assert.deepEqual(printable(read()), {})
    assert.deepEqual(printable(read({ args: ['--port', '9000', '--host', '127.0.0.1'] })), { PORT: 9000 })
  })

  test('is printed as no more than that it is set', () => {
    const environment = Object.fromEntries(secrets.map((key) => [variable(key), canary]))
    const printed = printable(read({ environment }))
    for (const key of secrets) assert.equal(printed[key], 'set')
    assert(!JSON.stringify(printed).includes(canary))
    const url = { VOICESTREAM_AI_BASE_URL: `https://somebody:${canary}@host/v1` }
    assert.equal(printable(read({ environment: url }))['AI_BASE_URL'], 'set')
  })
})

describe('the help', () => {
  test('lists every setting with its flag, what it is for and its default', () => {
    const help = helpText()
    for (const [key, schema] of Object.entries(settings)) {
      const { description } = schema as { description?: string }
      assert(description !== undefined && description.length > 10, key)
      const name = secrets.includes(key) ? variable(key) : flag(key)
      const line = help.split('\n').find((text) => text.trim().startsWith(`${name} `))
      assert(line?.includes(description), key)
      assert(line?.includes(`Default: ${defaults[key as Key] === '' ? 'none' : defaults[key as Key]}`), key)
    }
    assert(help.includes('VOICESTREAM_PORT'))
  })
})
