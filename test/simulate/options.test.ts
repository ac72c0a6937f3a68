import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { callIdOf, readCommand } from '../../src/simulate/options.js'

const chance = { randomSeed: 77, wallMs: 1_700_000_000_000 }

function refuses(words: string[], fact: RegExp): void {
  assert.throws(() => readCommand(words, chance), { name: 'SimulateError', code: 'usage', message: fact })
}

describe('the command line', () => {
  test('of a file alone takes the defaults, the given chance for the seed, and a prefix of its own', () => {
    const command = readCommand(['call.wav'], chance)
    assert.ok(command.kind === 'simulate')
    const { url, ...options } = command.options
    assert.equal(url.href, 'http://127.0.0.1:8000/')
    assert.deepEqual(options, {
      file: 'call.wav',
      callCount: 10,
      tracks: 1,
      dialect: null,
      speed: 1,
      rates: { loss: 0, reorder: 0, duplicate: 0, late: 0 },
      double: 0,
      drop: 0,
      audiosocketPort: 9092,
      publicUrl: null,
      seed: 77,
      prefix: 'sim-loyw3v28-',
      connections: 64,
      graceMs: 3000,
      waitMs: 120_000,
      patienceMs: 30_000,
      waitsForEnds: true,
      showsAllCalls: false,
    })
  })

  test('takes every option in any order', () => {
    const words =
      '--calls 50 --loss 2 x.wav --reorder 5.5 --duplicate=2 --late 1 --speed 10 --seed 0 --prefix a: --all'
    const command = readCommand([...words.split(' '), '--no-wait', '--timeout', '0'], chance)
    assert.ok(command.kind === 'simulate')
    assert.deepEqual(command.options.rates, { loss: 2, reorder: 5.5, duplicate: 2, late: 1 })
    assert.equal(command.options.seed, 0)
    assert.equal(command.options.waitsForEnds, false)
    assert.equal(command.options.showsAllCalls, true)
  })

  test('that is unknown, bad or contradictory is refused with the option and what it may be', () => {
    refuses([], /no WAV file given/)
    refuses(['a.wav', 'b.wav'], /only one WAV file, not 2/)
    refuses(['a.wav', '--los', '2'], /^Unknown option '--los'$/)
    refuses(['a.wav', '--calls'], /--calls/)
    refuses(['a.wav', '--calls', '0'], /--calls must be a whole number from 1 to 20000, not "0"/)
    refuses(['a.wav', '--calls', '1.5'], /whole number/)
    refuses(['a.wav', '--dialect', 'teams'], /--dialect must be one of twilio, .*, native, not "teams"/)
    for (const name of ['double', 'drop'])
      refuses(['a.wav', `--${name}`, '5'], new RegExp(`--${name} is of sockets: give --dialect`))
    for (const name of ['reorder', 'duplicate', 'late'])
      refuses(['a.wav', '--dialect', 'plivo', `--${name}`, '5'], new RegExp(`--${name} is not for --dialect`))
    refuses(['a.wav', '--dialect', 'native', '--tracks', '2'], /--tracks is not for --dialect/)
    refuses(['a.wav', '--public-url', 'wss://x'], /--public-url must be like/)
    refuses(['a.wav', '--audiosocket-port', '0'], /--audiosocket-port must be a whole number from 1 to 65535/)
    refuses(['a.wav', '--tracks', '9'], /--tracks must be a whole number from 1 to 8, not "9"/)
    refuses(['a.wav', '--speed', 'fast'], /--speed must be a number from 0.01 to 10000, not "fast"/)
    refuses(['a.wav', '--speed', '1e3'], /--speed/)
    refuses(['a.wav', '--loss=-1'], /--loss/)
    refuses(['a.wav', '--loss', '60', '--late', '50'], /together, not 110/)
    refuses(['a.wav', '--url', 'https://x'], /--url must be like/)
    for (const prefix of ['../', 'a/../', '@', 'a@b@', 'a b', 'a,', 'é'])
      refuses(['a.wav', '--prefix', prefix], /--prefix must be .* with which a SIP Call-ID may begin/)
    refuses(['a.wav', '--prefix', 'p'.repeat(254)], /at most 253/)
  })

  test('with --help needs no file', () => {
    assert.deepEqual(readCommand(['--help'], chance), { kind: 'help' })
  })
})

test('call ids have the same length, so that they sort', () => {
  assert.equal(callIdOf('p-', 0, 100), 'p-001')
  assert.equal(callIdOf('p-', 99, 100), 'p-100')
})
