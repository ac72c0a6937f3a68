/**
 * Calls that the dialplan of a real Asterisk sends, with real SIP phones: over chan_websocket and over AudioSocket. What the
 * sockets carried is counted between the two, byte by byte.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { freePort, skippedWithoutAsterisk } from '../support/asterisk.js'
import { startMediaTally } from '../support/media-tally.js'
import { Pbx } from '../support/pbx.js'
import { agentScenario, callerScenario } from '../support/phones.js'
import { logged, startService } from '../support/service.js'
import { audioOf, callsWhere, toneOf } from '../support/tapped-calls.js'

/** Asterisk's frame over AudioSocket: three bytes of header, then 20 ms of linear samples. */
const audioSocketBytes = 320

describe('the dialplan of an Asterisk', { skip: skippedWithoutAsterisk() }, () => {
  test('sends both sides of a call as tracks, in JSON, in plain text and over AudioSocket, and its hang-up ends it', async (t) => {
    // Guards against two sides in one track, a byte that is lost on the way, a call that never ends, and against an earlier
    // call's parameters, which Asterisk sends again.
    const audioSocket = await freePort()
    const settings = { AUDIOSOCKET_PORT: audioSocket, LEG_GRACE_MS: 500, GRACE_PERIOD_MS: 500 }
    const service = await startService(t, { settings })
    const tally = await startMediaTally(t, service.port)
    const tcp = await startMediaTally(t, audioSocket)
    const pbx = await Pbx.start(t, {
      media: `ws://127.0.0.1:${tally.port}/v1/media/asterisk`,
      audioSocket: `127.0.0.1:${tcp.port}`,
    })
    pbx.answer('agent', agentScenario)
    const call = (extension: string) =>
      pbx.call({ extension, scenario: callerScenario(extension), talkMs: 2500 })
    const samples = call('as')
    // One after the other: Asterisk 22.10.1 does not take two dials with v() at once.
    for (const extension of ['ws', 'wsbare', 'wsplain']) assert.equal(await call(extension), null)
    assert.equal(await samples, null)
    const calls = await callsWhere(
      service,
      (all) => all.length >= 5 && all.every(({ state }) => state === 'ARCHIVED'),
    )
    const linear = calls.filter(({ media }) => media.encoding === 'pcm_s16le')
    const sockets = calls.filter(({ media }) => media.encoding === 'mulaw')
    assert.deepEqual([linear.length, sockets.length], [2, 3], 'AudioSocket names no sides: a call each')

    assert.equal(tally.sockets.length, 5)
    const sent = tally.sockets.map(({ audio }) => audio)
    for (const { call_id, tracks = [], missing_count, legs } of sockets) {
      assert.equal(missing_count, 0)
      assert(legs?.every(({ ended_by }) => ended_by === 'closed'))
      for (const { track, name } of tracks) {
        const stored = await audioOf(service, call_id, track)
        const at = sent.findIndex((audio) => audio.equals(stored))
        assert(at >= 0, `${name}: ${stored.length} bytes, of ${sent.map(({ length }) => length)}`)
        sent.splice(at, 1)
        assert.equal(toneOf(stored), name === 'caller' ? 400 : 500)
      }
    }
    assert.deepEqual(sent, [], 'each socket is a track')
    // The second call dials without v(), so its URL is that of the first one's agent.
    const bare = sockets.find(({ tracks }) => tracks?.length === 1)
    assert.match(tally.sockets[2]?.head ?? '', /leg=agent/, 'the fault is there')
    assert.deepEqual(
      [bare?.tracks?.[0]?.name, bare?.caller, bare?.metadata?.['channel']],
      ['caller', null, undefined],
    )
    await logged(service, ({ reason }) => /of the URL differ/.test(String(reason)))

    const carried = tcp.sockets.map(({ bytes }) => samplesOf(bytes)).map(({ length }) => length)
    assert.deepEqual(
      linear.map(({ total_received }) => total_received * audioSocketBytes).sort(),
      carried.sort(),
    )
    for (const { call_id, missing_count } of linear) {
      assert.equal(missing_count, 0)
      const stored = await audioOf(service, call_id, 0)
      assert(tcp.sockets.some(({ bytes }) => samplesOf(bytes).equals(stored)))
    }
  })
})

function samplesOf(bytes: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at + 3 <= bytes.length; ) {
    const length = bytes.readUInt16BE(at + 1)
    if (bytes.readUInt8(at) === 0x10) parts.push(bytes.subarray(at + 3, at + 3 + length))
    at += 3 + length
  }
  return Buffer.concat(parts)
}
