/**
 * Calls of a real Asterisk with real SIP phones. The caller's phone plays a tone of 400 Hz and the agent's one of 500 Hz, so
 * that a track which holds the other side is seen.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { CallView } from '../../src/protocol/call.js'
import { freePort, phoneCall, skippedWithoutAsterisk, startCall } from '../support/asterisk.js'
import { get, type Service, startService } from '../support/service.js'

const seconds = 4
/** Packets of 20 ms in a call; a tap begins up to a second after the answer on a busy machine. */
const least = (seconds - 1) * 50 - 25
const most = (seconds + 3) * 50

async function callsOf(service: Service): Promise<readonly CallView[]> {
  return ((await get(service, '/v1/calls')).body as unknown as { calls: CallView[] }).calls
}

async function callWhere(service: Service, done: (call: CallView) => boolean): Promise<CallView> {
  const end = performance.now() + 45_000
  for (;;) {
    const calls = await callsOf(service)
    const found = calls.find(done)
    if (found !== undefined) return found
    assert(performance.now() < end, JSON.stringify(calls).slice(0, 3000))
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** The strongest of the two tones in a track, by Goertzel's filter over its WAV file. */
async function toneOf(service: Service, callId: string, track: number): Promise<number> {
  const answer = await fetch(`${service.url}/v1/call/${callId}/audio.wav?track=${track}`)
  assert.equal(answer.status, 200, await (answer.ok ? '' : answer.text()))
  const wav = Buffer.from(await answer.arrayBuffer())
  const bytes = wav.subarray(wav.indexOf('data') + 8)
  const samples = [...bytes].map((byte) => decoded(byte))
  const power = (hertz: number) => {
    const k = 2 * Math.cos((2 * Math.PI * hertz) / 8000)
    let [one, two] = [0, 0]
    for (const sample of samples) [one, two] = [sample + k * one - two, one]
    return one * one + two * two - k * one * two
  }
  return power(400) > power(500) ? 400 : 500
}

/** ITU-T G.711, mu-law. */
function decoded(byte: number): number {
  const inverted = ~byte & 0xff
  const magnitude = (((inverted & 0x0f) << 3) + 0x84) << ((inverted & 0x70) >> 4)
  return (inverted & 0x80) !== 0 ? 0x84 - magnitude : magnitude - 0x84
}

function checkTracks(call: CallView): void {
  assert.equal(call.tracks?.length, 2)
  for (const track of call.tracks ?? []) {
    assert(
      track.total_received >= least && track.total_received <= most,
      `${track.name}: ${track.total_received}`,
    )
    assert.equal(track.missing_count, 0)
    assert.deepEqual(track.media, { encoding: 'mulaw', sample_rate: 8000, channels: 1 })
  }
}

describe('Asterisk', { skip: skippedWithoutAsterisk() }, () => {
  for (const extension of ['ws', 'wsplain'])
    test(`sends both sides of a call over chan_websocket (${extension}), each as a track, and its hang-up ends it`, async (t) => {
      // Guards against two sides in one track, a frame that is lost on the way, and a call that never ends.
      const service = await startService(t, { settings: { LEG_GRACE_MS: 500, GRACE_PERIOD_MS: 500 } })
      const call = await phoneCall(t, {
        extension,
        target: `ws://127.0.0.1:${service.port}/v1/media/asterisk`,
        seconds,
      })
      assert.equal(call.code, 0, call.output)
      const seen = await callWhere(service, ({ state }) => state === 'ARCHIVED')
      checkTracks(seen)
      assert.deepEqual(new Set(seen.tracks?.map(({ name }) => name)), new Set(['caller', 'agent']))
      for (const { track, name } of seen.tracks ?? [])
        assert.equal(await toneOf(service, seen.call_id, track), name === 'caller' ? 400 : 500)
      assert.equal((await callsOf(service)).length, 1, 'both sockets are of one call')
      assert(seen.legs?.every(({ ended_by }) => ended_by === 'closed'))
    })

  test('sends a side of a call over AudioSocket, and both are stored to the sample', async (t) => {
    const port = await freePort()
    const service = await startService(t, {
      settings: { AUDIOSOCKET_PORT: port, LEG_GRACE_MS: 500, GRACE_PERIOD_MS: 500 },
    })
    const call = await phoneCall(t, { extension: 'as', target: `tcp://127.0.0.1:${port}`, seconds })
    assert.equal(call.code, 0, call.output)
    await callWhere(service, ({ state }) => state === 'ARCHIVED')
    const calls = await callsOf(service)
    for (const { total_received, missing_count, media } of calls) {
      assert(total_received >= least && total_received <= most, String(total_received))
      assert.deepEqual([missing_count, media.encoding], [0, 'pcm_s16le'])
    }
  })

  test('is tapped over its own ARI: caller and callee by name, both sides, the cause of the hang-up, no dialplan', async (t) => {
    // Guards against a tap that hears one side twice, leaves the call open, or is heard by the phones.
    const service = await startService(t, { settings: { GRACE_PERIOD_MS: 500 } })
    const call = await phoneCall(t, {
      extension: 'plain',
      ...ariTo(service),
      seconds: seconds + 1,
    })
    assert.equal(call.code, 0, call.output)
    const seen = await callWhere(service, ({ state }) => state === 'ARCHIVED')
    checkTracks(seen)
    assert.deepEqual([seen.caller, seen.callee, seen.reason], ['Anna Caller <caller>', 'plain', 'completed'])
    assert.equal(seen.metadata?.['context'], 'phones')
    for (const { track, name } of seen.tracks ?? [])
      assert.equal(await toneOf(service, seen.call_id, track), name === 'caller' ? 400 : 500)
    const hangups = seen.notes?.filter(({ kind }) => kind === 'hangup') ?? []
    assert(
      hangups.length >= 1 && hangups.every(({ text }) => /: 16 /.test(String(text))),
      JSON.stringify(hangups),
    )
  })

  test('goes on with its calls while the service is restarted, and the tap comes back with another leg', async (t) => {
    // Guards against a call that is harmed by our end, and against a tap that a restart loses for good.
    const port = await freePort()
    const settings = { PORT: port, GRACE_PERIOD_MS: 500, LEG_GRACE_MS: 20_000 }
    const before = await startService(t, { settings })
    const call = startCall(t, {
      extension: 'plain',
      ...ariTo(before),
      seconds: 14,
    })
    const ended = new Promise<number | null>((resolve) => call.process.once('exit', resolve))
    const live = await callWhere(
      before,
      ({ tracks }) => tracks?.length === 2 && tracks.every(({ total_received }) => total_received > 50),
    )
    before.kill('SIGKILL')
    await before.exited
    const after = await startService(t, { dataDir: before.dataDir, settings })
    assert.equal(await ended, 0, call.lines.join('\n'))
    const seen = await callWhere(
      after,
      ({ call_id, state }) => call_id === live.call_id && state === 'ARCHIVED',
    )
    assert.equal(seen.legs?.length, 4, 'two before, and two after')
    assert.deepEqual(
      seen.tracks?.map(({ name }) => name),
      live.tracks?.map(({ name }) => name),
    )
    for (const [index, track] of (seen.tracks ?? []).entries())
      assert(track.total_received > (live.tracks?.[index]?.total_received ?? 0) + 50, 'it went on')
    assert(seen.missing_count > 0, 'the hole is seen')
  })
})

function ariTo({ port }: Service): { readonly ariUri: string; readonly target: string } {
  return { ariUri: `ws://127.0.0.1:${port}/v1/ari`, target: `ws://127.0.0.1:${port}/v1/media/asterisk` }
}
