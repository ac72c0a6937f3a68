/** The simulated PBX against the real service with credentials: what it says of its calls, and with which tokens. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { describe, type TestContext, test } from 'node:test'
import { systemClock } from '../../src/simulate/clock.js'
import { partiesOf } from '../../src/simulate/parties.js'
import { simulate } from '../../src/simulate/simulation.js'
import { bearer, credentialSettings, tokens } from '../support/credentials.js'
import { HttpClient } from '../support/http-client.js'
import { temporaryFolder } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'
import { chunk, formatChunk, muLaw, riff, speechOf } from '../support/wav-files.js'

/** Each letter that a path or a text must not hold as it is. */
const prefix = 'wav/%41"\\@[::1]-'

describe('a simulated call', () => {
  const service = suiteService({
    settings: {
      ...credentialSettings,
      GRACE_PERIOD_MS: 200,
      AI_SIMULATED_LATENCY_MIN_MS: 0,
      AI_SIMULATED_LATENCY_MAX_MS: 0,
    },
  })

  async function run(t: TestContext, environment: Record<string, string>) {
    const file = join(temporaryFolder(t), 'call.wav')
    writeFileSync(file, riff(formatChunk(muLaw), chunk('data', speechOf(20))))
    const [out, err] = [new PassThrough(), new PassThrough()]
    const told = Promise.all([text(out), text(err)])
    const terminal = { out, err, canMove: false, columns: 110 }
    const words = [
      file,
      '--url',
      service().url,
      '--calls',
      '2',
      '--speed',
      '50',
      '--grace',
      '200',
      '--prefix',
      prefix,
    ]
    const world = {
      clock: systemClock,
      terminal,
      signal: new AbortController().signal,
      randomSeed: 5,
      environment,
    }
    const exitCode = await simulate(words, world)
    out.end()
    err.end()
    return { exitCode, told: (await told).join('') }
  }

  test('says what its packets carry, and is audited with the token of a reader', async (t) => {
    const environment = {
      SIMULATE_INGEST_TOKEN: tokens.ingest[0],
      SIMULATE_SUPERVISOR_TOKEN: tokens.supervisor[0],
    }
    const { exitCode, told } = await run(t, environment)
    assert.equal(exitCode, 0, told)
    for (const token of Object.values(environment)) assert(!told.includes(token))
    const view = await new HttpClient(t, service()).send(
      'GET',
      `/v1/call/${encodeURIComponent(`${prefix}1`)}`,
      bearer(tokens.supervisor[0]),
    )
    assert.deepEqual(view.body['media'], { encoding: 'mulaw', sample_rate: 8000, channels: 1 })
    const { caller, callee, agent, queue, direction } = view.body
    assert.deepEqual({ caller, callee, agent, queue, direction }, partiesOf(0))
  })

  test('is broken off with the reason where the token is missing or no token', async (t) => {
    const { exitCode, told } = await run(t, {})
    assert.equal(exitCode, 1, told)
    assert.match(told, /401/)
    const bad = await run(t, { SIMULATE_INGEST_TOKEN: 'se cret\n' })
    assert.equal(bad.exitCode, 2)
    assert.match(bad.told, /SIMULATE_INGEST_TOKEN contains a character that no token has/)
    assert(!bad.told.includes('cret'))
  })
})
