/**
 * `simulate --dialect` on the real service: every platform's sockets, with what may happen to them. The simulator's account is made
 * from what it sent, the service's from what it stored, so a fault of either shows here as a difference.
 */
import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { dialectNames } from '../../src/simulate/options.js'
import { freePort } from '../support/free-port.js'
import { HttpClient } from '../support/http-client.js'
import { startService, temporaryFolder } from '../support/service.js'
import { runSimulation, speechFile } from '../support/simulation.js'
import { suiteServiceFrom } from '../support/suite-service.js'
import { muLaw } from '../support/wav-files.js'

const packets = 120
const quick = { GRACE_PERIOD_MS: 200, AI_SIMULATED_LATENCY_MIN_MS: 0, AI_SIMULATED_LATENCY_MAX_MS: 0 }

describe('a simulated platform', { concurrency: 6 }, () => {
  let audiosocketPort = 0
  const service = suiteServiceFrom(async (block) => {
    audiosocketPort = await freePort()
    return startService(block, {
      settings: { ...quick, LEG_GRACE_MS: 4000, AUDIOSOCKET_PORT: audiosocketPort },
    })
  })

  async function play(t: TestContext, dialect: string, words: string) {
    const file = speechFile(t, packets)
    return runSimulation([
      file,
      '--url',
      service().url,
      '--audiosocket-port',
      String(audiosocketPort),
      '--dialect',
      dialect,
      '--prefix',
      `${dialect}-${words.length}-`,
      ...`--calls 3 --speed 4 --seed 11 ${words}`.split(' '),
    ])
  }

  for (const dialect of dialectNames)
    test(`${dialect}: loses packets, and the account of every call is exact`, async (t) => {
      const { exitCode, told } = await play(t, dialect, '--loss 5')
      assert.equal(exitCode, 0, told)
      assert.match(told, /accounts: every one of 3 is exact/)
      assert.match(told, /3 ARCHIVED/)
    })

  interface Leg {
    readonly ended_by: string
    readonly tracks: readonly { readonly track: number; readonly first_sequence: number }[]
  }

  async function viewsOf(t: TestContext, prefix: string) {
    const client = new HttpClient(t, service())
    return Promise.all([1, 2, 3].map(async (call) => (await client.call(`${prefix}${call}`)).body))
  }

  test('whose packets have numbers: each that is lost is missing, and no other one', async (t) => {
    const words = '--loss 10'
    const { exitCode, told } = await play(t, 'plivo', words)
    assert.equal(exitCode, 0, told)
    const views = await viewsOf(t, `plivo-${words.length}-`)
    const missing = views.reduce((sum, view) => sum + Number(view['missing_count']), 0)
    const sent = Number(/: (\d+) packets, /.exec(told)?.[1])
    assert(missing > 15, told)
    assert.equal(sent + missing, 3 * packets)
  })

  test('whose packets have none says how many were lost, because nobody else can', async (t) => {
    const { exitCode, told } = await play(t, 'vonage', '--loss 10 --drop 0')
    assert.equal(exitCode, 0, told)
    assert.match(told, /\d\d lost packets had no number on this platform, so they are not missing/)
  })

  for (const dialect of ['twilio', 'exotel', 'asterisk', 'audiosocket', 'audiohook', 'vonage'])
    test(`${dialect}: a socket that breaks goes on as another leg, and what nobody heard is missing`, async (t) => {
      const words = '--drop 100 --loss 2'
      const { exitCode, told } = await play(t, dialect, words)
      assert.equal(exitCode, 0, told)
      const sockets = dialect === 'asterisk' ? 6 : 3
      assert.match(told, new RegExp(`sockets: ${2 * sockets}, of which ${sockets} broke`))
      if (dialect !== 'twilio') return
      const views = await viewsOf(t, `${dialect}-${words.length}-`)
      assert.equal(views.length, 3)
      for (const view of views) {
        const legs = view['legs'] as readonly Leg[]
        assert.deepEqual(
          legs.map(({ ended_by }) => ended_by),
          ['lost', 'stopped'],
        )
        assert.deepEqual(
          legs[1]?.tracks.map(({ track }) => track),
          [0, 1],
          'the voices go on in their tracks',
        )
        assert(Number(view['missing_count']) >= 2 * 10, 'what was said meanwhile')
      }
    })

  for (const dialect of ['twilio', 'asterisk', 'audiohook', 'sinch'])
    test(`${dialect}: two sockets at once for one call lose nothing, and are never one`, async (t) => {
      const words = '--double 100 --loss 3'
      const { exitCode, told } = await play(t, dialect, words)
      assert.equal(exitCode, 0, told)
      assert.match(told, dialect === 'asterisk' ? /sockets: 12\n/ : /sockets: 6\n/)
      if (dialect !== 'twilio') return
      for (const view of await viewsOf(t, `${dialect}-${words.length}-`))
        assert.deepEqual(
          (view['legs'] as readonly Leg[]).map(({ tracks }) => tracks.map(({ track }) => track)),
          [
            [0, 1],
            [2, 3],
          ],
        )
    })

  test('native: broken and doubled trunks lose nothing and store nothing twice', async (t) => {
    const { exitCode, told } = await play(t, 'native', '--drop 100 --double 100 --loss 3')
    assert.equal(exitCode, 0, told)
    assert.match(told, /trunks: 2, of which 2 broke/)
  })

  test('is refused for a rate that it never sends, and a pace that the service would shed', async (t) => {
    const file = speechFile(t, 10, { ...muLaw, sampleRate: 16_000 })
    const run = (words: string) =>
      runSimulation([file, '--url', service().url, ...words.split(' '), '--calls', '1'])
    const rate = await run('--dialect twilio')
    assert.equal(rate.exitCode, 2)
    assert.match(rate.told, /--dialect twilio plays files of 8000 Hz, not 16000/)
    const pace = await run('--dialect vonage --speed 11')
    assert.equal(pace.exitCode, 2)
    assert.match(pace.told, /--speed must be at most 10 with --dialect vonage/)
  })

  test('that nobody serves, or whose port is wrong, is told at once', async (t) => {
    const file = speechFile(t, 10)
    const port = String(await freePort())
    const words = [file, '--url', service().url, '--dialect', 'audiosocket', '--audiosocket-port', port]
    const { exitCode, told } = await runSimulation([...words, '--retry-for', '0.5', '--calls', '1'])
    assert.equal(exitCode, 3, told)
    assert.match(told, /no connection: ECONNREFUSED/)
  })
})

describe('a simulated platform with a token', { concurrency: 6 }, () => {
  const token = 'good-token-0123456789abcdef'
  const reader = 'reader-token-0123456789abcdef'
  const service = suiteServiceFrom((block) =>
    startService(block, { settings: { ...quick, INGEST_TOKENS: token, SUPERVISOR_TOKENS: reader } }),
  )
  const environment = { SIMULATE_INGEST_TOKEN: token, SIMULATE_SUPERVISOR_TOKEN: reader }
  const run = (t: TestContext, dialect: string, environment: Record<string, string>) =>
    runSimulation(
      [
        speechFile(t, 20),
        '--url',
        service().url,
        '--dialect',
        dialect,
        // Tests that run at once begin in the same millisecond.
        '--prefix',
        `${dialect}-token-${Object.keys(environment).length}-`,
        ...'--calls 1 --speed 2 --no-wait'.split(' '),
      ],
      environment,
    )

  for (const dialect of dialectNames.filter((name) => name !== 'audiosocket'))
    test(`${dialect} sends it where that platform can, and is let in`, async (t) => {
      const { exitCode, told } = await run(t, dialect, environment)
      assert.equal(exitCode, 0, told)
      assert(!told.includes(token))
    })

  test('says why it is refused without one, and with a wrong one', async (t) => {
    for (const dialect of ['vonage', 'native', 'asterisk'])
      for (const wrong of [{}, { SIMULATE_INGEST_TOKEN: 'wrong-token-0123456789abcdef' }]) {
        const { exitCode, told } = await run(t, dialect, {
          ...environment,
          SIMULATE_INGEST_TOKEN: '',
          ...wrong,
        })
        assert.equal(exitCode, 1, told)
        assert.match(told, /401/)
      }
  })
})

describe('a simulated platform that signs', () => {
  const publicUrl = 'https://voice.example.com:8443/prefix'
  const clientSecret = Buffer.from('audiohook-client-secret-1').toString('base64')
  const secrets: Readonly<Record<string, string>> = {
    twilio: 'twilio-auth-token-0123456789',
    plivo: 'plivo-auth-token-0123456789',
    audiohook: clientSecret,
  }
  const lines = [
    'supervisor reader-token-0123456789abcdef',
    `twilio AC00000000000000000000000000000001 ${secrets['twilio']}`,
    `plivo MA0000000000000001 ${secrets['plivo']}`,
    `audiohook api-key-1 ${clientSecret}`,
  ]
  const service = suiteServiceFrom((block) => {
    const path = join(temporaryFolder(block), 'tokens')
    writeFileSync(path, `${lines.join('\n')}\n`, { mode: 0o600 })
    return startService(block, {
      settings: { ...quick, TOKENS_FILE: path, PUBLIC_URL: publicUrl, AUTH_FAILURES_PER_MIN: 0 },
    })
  })
  const run = (t: TestContext, dialect: string, secret: string, known = publicUrl) =>
    runSimulation(
      [
        speechFile(t, 40),
        '--url',
        service().url,
        '--dialect',
        dialect,
        '--public-url',
        known,
        ...'--calls 2 --speed 2 --no-wait'.split(' '),
      ],
      {
        SIMULATE_SUPERVISOR_TOKEN: 'reader-token-0123456789abcdef',
        SIMULATE_SIGNING_SECRET: secret,
        SIMULATE_API_KEY: 'api-key-1',
      },
    )

  for (const [dialect, secret] of Object.entries(secrets))
    test(`${dialect} is let in by its signature, and not with another secret or address`, async (t) => {
      // Both sides were written from the vendor's documents and share no code, so a signature that fits is no accident.
      const { exitCode, told } = await run(t, dialect, secret)
      assert.equal(exitCode, 0, told)
      assert(!told.includes(secret))
      for (const wrong of [
        await run(t, dialect, Buffer.from('another-secret-0123456789').toString('base64')),
        await run(t, dialect, secret, 'https://voice.example.com:8443/other'),
      ]) {
        assert.equal(wrong.exitCode, 1, wrong.told)
        assert.match(wrong.told, /the socket got 40[13]/)
      }
    })
})
