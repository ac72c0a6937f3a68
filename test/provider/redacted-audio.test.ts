/**
 * The real service with REDACT and credentials: what is masked in the words cannot be heard either, in the file of the call and in that
 * of a track that begins later, by anybody but an administrator. Guards against a recording that gives away what its transcript hides, and
 * against one of a call that nobody has transcribed yet.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseWav } from '../../src/audio/wav-file.js'
import { answer, chatAnswer, findings, OpenAiServer } from '../support/openai-server.js'
import { eventually, logged, startService } from '../support/service.js'

const tokens = {
  ingest: 'ingest-token-of-the-test',
  supervisor: 'supervisor-token-of-it',
  admin: 'admin-token-of-the-test',
}
const settings = {
  INGEST_TOKENS: tokens.ingest,
  SUPERVISOR_TOKENS: tokens.supervisor,
  ADMIN_TOKENS: tokens.admin,
}
const rate = 8000
/** A square wave: louder than the tone, and unlike it. */
const packet = Buffer.alloc(320)
for (let frame = 0; frame < 160; frame++) packet.writeInt16LE(frame % 16 < 8 ? 9000 : -9000, frame * 2)
const data = packet.toString('base64')

type Role = keyof typeof tokens

function client({ url }: { readonly url: string }) {
  const ask = (role: Role, path: string, body?: string, type = 'application/json') =>
    fetch(url + path, {
      ...(body === undefined ? {} : { method: 'POST', body }),
      headers: {
        authorization: `Bearer ${tokens[role]}`,
        ...(body === undefined ? {} : { 'content-type': type }),
      },
    })
  return {
    ask,
    async status(role: Role, path: string): Promise<number> {
      const response = await ask(role, path)
      await response.arrayBuffer()
      return response.status
    },
    async wav(role: Role, path: string): Promise<Buffer> {
      const response = await ask(role, path)
      assert.equal(response.status, 200, path)
      return parseWav(Buffer.from(await response.arrayBuffer())).frames
    },
    /** Two sides; the other one begins two seconds later. */
    async call(id: string, seconds: number): Promise<void> {
      const media = { encoding: 'pcm_s16le', sample_rate: rate, channels: 1 }
      const tracks = [
        { track: 0, name: 'agent', media },
        { track: 1, name: 'caller', media },
      ]
      assert.equal((await ask('ingest', `/v1/call/start/${id}`, JSON.stringify({ tracks }))).status, 202)
      for (const [track, later] of [
        [0, 0],
        [1, 2],
      ] as const) {
        const sequences = Array.from({ length: (seconds - later) * 50 }, (_, sequence) => sequence)
        const lines = sequences.map((sequence) =>
          JSON.stringify({ call_id: id, track, sequence, data, timestamp: 1000 + later + sequence / 50 }),
        )
        const sent = await ask('ingest', '/v1/packets', lines.join('\n'), 'application/x-ndjson')
        assert.equal(sent.status, 202)
      }
      const totals = JSON.stringify({ totals: { 0: seconds * 50, 1: (seconds - 2) * 50 } })
      assert.equal((await ask('ingest', `/v1/call/complete/${id}`, totals)).status, 202)
    },
  }
}

/** Seconds in which a channel has something else than the square wave. */
function coveredSeconds(frames: Buffer, channel: number, channels: number): readonly number[] {
  const covered = new Set<number>()
  for (let frame = 0; frame * channels * 2 < frames.length; frame++)
    if (Math.abs(frames.readInt16LE((frame * channels + channel) * 2)) !== 9000)
      covered.add(Math.floor(frame / rate))
  return [...covered].sort((a, b) => a - b)
}

test('what is masked is not heard, but by administrators, and the log says by whom', async (t) => {
  let isHeard = false
  const server = await OpenAiServer.start((request) => {
    if (!isHeard) return answer({ error: { message: 'busy' } }, 503)
    if (request.file === null) return chatAnswer(findings)
    // The caller's own fourth and fifth second: the call's sixth and seventh.
    const isCaller = request.file.length < 9 * rate * 2
    const text = isCaller ? 'It is 4111 1111 1111 1111.' : 'Which card is it?'
    return answer({ text, segments: [{ start: 4.2, end: 5.8, text, avg_logprob: -0.2 }] })
  })
  t.after(() => server.stop())
  const service = await startService(t, {
    settings: {
      ...settings,
      ...server.settings,
      REDACT: 'number',
      AI_BACKOFF_BASE_MS: 50,
      AI_BREAKER_FAILURES: 0,
    },
  })
  const { ask, status, wav, call } = client(service)
  await call('masked', 10)
  const path = '/v1/call/masked/audio.wav'
  // Nobody knows yet what to mask.
  const early = await eventually(
    () => ask('supervisor', path).then((response) => response.json() as Promise<{ type: string }>),
    ({ type }) => !type.endsWith(':still_receiving'),
  )
  assert.equal(early.type, 'urn:voicestream:problem:not_redacted')
  assert.equal(await status('supervisor', `${path}?redact=none`), 403)
  assert.equal((await wav('admin', `${path}?redact=none`)).length, 10 * rate * 4)
  isHeard = true
  await eventually(
    async () => ((await (await ask('supervisor', '/v1/call/masked')).json()) as { state: string }).state,
    (state) => state === 'ARCHIVED',
    60_000,
  )

  const raw = await wav('admin', `${path}?redact=none`)
  const silent = [0, 1]
  assert.deepEqual(coveredSeconds(raw, 0, 2), [])
  assert.deepEqual(coveredSeconds(raw, 1, 2), silent, 'the caller is not there yet')
  for (const masking of ['', '?redact=beep', '?redact=silence']) {
    const shown = await wav('supervisor', path + masking)
    assert.deepEqual(coveredSeconds(shown, 0, 2), [6, 7], masking)
    assert.deepEqual(coveredSeconds(shown, 1, 2), [...silent, 6, 7], masking)
  }
  // By its own time, in which it begins two seconds later.
  assert.deepEqual(coveredSeconds(await wav('supervisor', `${path}?track=1`), 0, 1), [4, 5])
  assert.deepEqual(coveredSeconds(await wav('supervisor', `${path}?track=0`), 0, 1), [6, 7])
  const part = await fetch(service.url + path, {
    headers: { authorization: `Bearer ${tokens.supervisor}`, range: 'bytes=200000-210000' },
  })
  const whole = Buffer.from(await (await ask('supervisor', path)).arrayBuffer())
  assert(Buffer.from(await part.arrayBuffer()).equals(whole.subarray(200_000, 210_001)))

  assert.equal(await status('supervisor', '/v1/call/masked/packets'), 403)
  assert.equal(await status('admin', '/v1/call/masked/packets'), 200)
  assert.equal(await status('supervisor', `${path}?live=true`), 403)
  assert.equal(await status('supervisor', `${path}?redact=loud`), 422)
  const lines = await logged(service, ({ msg }) => msg === 'a call is read without its masks', 3)
  for (const line of lines) {
    assert.equal(line['call_id'], 'masked')
    assert.equal(typeof line['credential'], 'string')
  }
  assert(lines.some(({ route }) => String(route).endsWith('/packets')))
})

test('what was stored before REDACT was set is masked in the recording, and a provider that hears nothing opens none', async (t) => {
  const server = await OpenAiServer.start((request) =>
    request.file === null
      ? chatAnswer(findings)
      : answer({
          text: 'x',
          segments: [{ start: 1.2, end: 1.8, text: 'It is 5551234 now.', avg_logprob: -0.2 }],
        }),
  )
  t.after(() => server.stop())
  const before = await startService(t, {
    settings: { ...settings, ...server.settings, AI_BREAKER_FAILURES: 0 },
  })
  await client(before).call('old', 4)
  await eventually(
    async () =>
      ((await (await client(before).ask('admin', '/v1/call/old')).json()) as { state: string }).state,
    (state) => state === 'ARCHIVED',
    60_000,
  )
  assert.equal(await client(before).status('supervisor', '/v1/call/old/audio.wav?redact=beep'), 422)
  before.kill('SIGTERM')
  await before.exited
  const service = await startService(t, {
    dataDir: before.dataDir,
    settings: { ...settings, REDACT: 'number' },
  })
  const { wav, call, status, ask } = client(service)
  // Both sides say it, two seconds after one another.
  assert.deepEqual(coveredSeconds(await wav('supervisor', '/v1/call/old/audio.wav?track=0'), 0, 1), [1, 3])
  await call('simulated', 4)
  await eventually(
    async () => ((await (await ask('admin', '/v1/call/simulated')).json()) as { state: string }).state,
    (state) => state === 'ARCHIVED',
    60_000,
  )
  assert.equal(await status('supervisor', '/v1/call/simulated/audio.wav'), 409)
})
