/**
 * What is heard of a call while it runs, over HTTP: alerts are journaled and told once, acknowledged for everybody, and over
 * with the call. Guards against alerts that a restart forgets or repeats, and against a listener that holds up ingest.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Alert, Insight } from '../../src/protocol/alert.js'
import { postLines } from '../support/command.js'
import { readMetric } from '../support/metrics.js'
import { eventually, get, post, type Service, startService, temporaryFolder } from '../support/service.js'
import { SupervisorClient } from '../support/supervisor-client.js'
import {
  encoded,
  fixedRandom,
  mixed,
  noise,
  type Sound,
  silence,
  speech,
} from '../support/synthetic-speech.js'

const random = fixedRandom(23)
const line = (seconds: number) => noise(seconds, -65, random)
const talk = mixed(line(10), speech(10, -20, random))
const media = { encoding: 'mulaw', sample_rate: 8000, channels: 1 }
const tracks = ['in', 'out'].map((name, track) => ({ track, name, media }))

/** Begins a call of two tracks, and sends these sounds as fast as can be. */
async function playCall(service: Service, callId: string, sounds: readonly Sound[]): Promise<void> {
  await post(service, `/v1/call/start/${callId}`, { media, tracks })
  await playOn(service, callId, sounds, 0)
}

async function playOn(
  service: Service,
  callId: string,
  sounds: readonly Sound[],
  from: number,
): Promise<void> {
  const bytes = sounds.map((sound) => encoded(sound, 'mulaw'))
  const packets = Math.floor((bytes[0] as Buffer).length / 160)
  const lines = Array.from({ length: packets }, (_, index) =>
    bytes.map((track, number) =>
      JSON.stringify({
        call_id: callId,
        track: number,
        sequence: from + index,
        data: track.subarray(index * 160, (index + 1) * 160).toString('base64'),
        timestamp: 1_700_000_000 + (from + index) / 50,
      }),
    ),
  ).flat()
  assert.equal((await postLines(service, `${lines.join('\n')}\n`)).accepted, packets * sounds.length)
}

async function completeCall(service: Service, callId: string): Promise<void> {
  const { status } = await post(service, `/v1/call/complete/${callId}`, { total_packets: 500 })
  assert.equal(status, 202)
}

async function insightOf(service: Service, callId: string): Promise<Insight | null> {
  const { body } = await get(service, `/v1/call/${callId}`)
  return body['insight'] as Insight | null
}

const alertsOf = async (service: Service, callId: string): Promise<readonly Alert[]> =>
  (await insightOf(service, callId))?.alerts ?? []

describe('a call that is listened to', () => {
  test('shows who speaks and what is wrong, and what is wrong is over with the call', async (t) => {
    const service = await startService(t)
    const supervisor = await SupervisorClient.connect(t, service)
    await playCall(service, 'one-way', [talk, silence(10)])
    await supervisor.until(() => supervisor.of('one-way').some(({ event }) => event === 'alert_raised'))
    const insight = await eventually(
      () => insightOf(service, 'one-way'),
      (found) => found?.at != null && found.channels.length === 2 && found.alerts.length === 1,
    )
    const [first, second] = insight?.channels ?? []
    assert(first !== undefined && second !== undefined)
    assert(first.speech_ms > 5000 && second.speech_ms === 0)
    assert.deepEqual(insight?.talk_ratio, [1, 0])
    assert.deepEqual(insight?.quality, {
      loss: 0,
      burst_ratio: 1,
      mos: 4.41,
      basis: 'packets as received here',
    })
    const [alert] = insight?.alerts ?? []
    assert(alert !== undefined)
    const { alert_id, kind, severity, channel, certain, to_ms } = alert
    assert.deepEqual(
      { alert_id, kind, severity, channel, certain, to_ms },
      {
        alert_id: 'one_way:1:1',
        kind: 'one_way',
        severity: 'critical',
        channel: 1,
        certain: true,
        to_ms: null,
      },
    )
    assert.equal(await readMetric(service, 'voicestream_alerts_total{kind="one_way"}'), 1)

    await completeCall(service, 'one-way')
    await supervisor.until(() => supervisor.of('one-way').some(({ event }) => event === 'alert_cleared'))
    const [over] = await alertsOf(service, 'one-way')
    const found = async (kind: string) => {
      const { body } = await get(service, `/v1/calls?alert=${kind}`)
      return (body['calls'] as readonly { call_id: string }[]).map(({ call_id }) => call_id)
    }
    assert.deepEqual([await found('one_way'), await found('noise')], [['one-way'], []])
    assert.equal((await get(service, '/v1/calls?alert=boredom')).status, 422)
    assert.notEqual(over?.to_ms, null)
    const names = supervisor.of('one-way').map(({ event }) => event)
    assert.equal(names.filter((name) => name === 'alert_raised').length, 1)
    assert(names.indexOf('alert_cleared') < names.indexOf('state_changed'))
  })

  test('keeps an acknowledgement for everybody, with the name of who gave it', async (t) => {
    const settings = { INGEST_TOKENS: 'i-token-0123456789ab', SUPERVISOR_TOKENS: 's-token-0123456789ab' }
    const service = await startService(t, { settings })
    const ask = (path: string, method: string, token: string, body?: string) =>
      fetch(service.url + path, {
        method,
        headers: {
          Authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body }),
      })
    await ask('/v1/call/start/a', 'POST', settings.INGEST_TOKENS, JSON.stringify({ media, tracks }))
    const bytes = [talk, silence(10)].map((sound) => encoded(sound, 'mulaw'))
    const lines = Array.from({ length: 500 }, (_, sequence) =>
      bytes.map((track, number) =>
        JSON.stringify({
          call_id: 'a',
          track: number,
          sequence,
          data: track.subarray(sequence * 160, sequence * 160 + 160).toString('base64'),
          timestamp: 1,
        }),
      ),
    ).flat()
    const bulk = await fetch(`${service.url}/v1/packets`, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${settings.INGEST_TOKENS}`,
        'Content-Type': 'application/x-ndjson',
      },
      body: `${lines.join('\n')}\n`,
    })
    assert.equal(bulk.status, 202)
    const seen = async () => {
      const answer = await ask('/v1/call/a', 'GET', settings.SUPERVISOR_TOKENS)
      const { insight } = (await answer.json()) as { insight: Insight | null }
      return insight?.alerts[0]
    }
    await eventually(seen, (alert) => alert !== undefined)
    const path = '/v1/call/a/alerts/one_way%3A1%3A1/acknowledge'
    const refused = await ask(path, 'POST', settings.INGEST_TOKENS, '{}')
    assert.equal(refused.status, 403)
    const first = await ask(path, 'POST', settings.SUPERVISOR_TOKENS, '{"note":"called the carrier"}')
    assert.equal(first.status, 204)
    const again = await ask(
      path.replaceAll('%3A', ':'),
      'POST',
      settings.SUPERVISOR_TOKENS,
      '{"note":"me too"}',
    )
    assert.equal(again.status, 204)
    const alert = await seen()
    assert.match(alert?.acknowledged_by ?? '', /^supervisor/)
    assert.equal(alert?.note, 'called the carrier')
    assert.notEqual(alert?.acknowledged_at, null)
    for (const [where, status] of [
      ['/v1/call/a/alerts/noise:0:1/acknowledge', 404],
      ['/v1/call/a/alerts/%E0%A4%A/acknowledge', 404],
      ['/v1/call/b/alerts/noise:0:1/acknowledge', 404],
    ] as const)
      assert.equal((await ask(where, 'POST', settings.SUPERVISOR_TOKENS, '{}')).status, status, where)
    const bad = await ask(path, 'POST', settings.SUPERVISOR_TOKENS, `{"note":"${'x'.repeat(501)}"}`)
    assert.equal(bad.status, 422)
  })

  test('remembers its alerts after a crash, and raises none of them again', async (t) => {
    const dataDir = temporaryFolder(t)
    const before = await startService(t, { dataDir })
    await playCall(before, 'crash', [talk, silence(10)])
    await eventually(
      () => alertsOf(before, 'crash'),
      (alerts) => alerts.length === 1,
    )
    const acknowledged = await fetch(`${before.url}/v1/call/crash/alerts/one_way:1:1/acknowledge`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: '{"note":"seen"}',
    })
    assert.equal(acknowledged.status, 204)
    before.kill('SIGKILL')
    await before.exited

    const service = await startService(t, { dataDir })
    const [kept] = await alertsOf(service, 'crash')
    assert.equal(kept?.note, 'seen')
    await playOn(service, 'crash', [talk, silence(10)], 500)
    await eventually(
      () => insightOf(service, 'crash'),
      (insight) => (insight?.channels[0]?.speech_ms ?? 0) > 5000,
    )
    assert.equal((await alertsOf(service, 'crash')).length, 1, 'it is still the same alert')
    // The other one is heard: it is over.
    await playOn(service, 'crash', [line(10), talk], 1000)
    await eventually(
      () => alertsOf(service, 'crash'),
      ([alert]) => alert?.to_ms != null,
    )
  })

  test('is not listened to with INSIGHT=false, or beyond INSIGHT_CHANNELS_MAX, and says so', async (t) => {
    const off = await startService(t, { settings: { INSIGHT: 'false' } })
    await playCall(off, 'off', [talk, silence(10)])
    assert.equal(await insightOf(off, 'off'), null)

    const few = await startService(t, { settings: { INSIGHT_CHANNELS_MAX: 2 } })
    await playCall(few, 'first', [talk, silence(10)])
    await playCall(few, 'second', [talk, silence(10)])
    await eventually(
      () => alertsOf(few, 'first'),
      (alerts) => alerts.length === 1,
    )
    const skipped = await insightOf(few, 'second')
    assert.equal(skipped?.skipped, true)
    assert.deepEqual(skipped?.channels, [])
    assert.equal(await readMetric(few, 'voicestream_insight_channels'), 2)
    // There is room again once the first one is over.
    await completeCall(few, 'first')
    await playCall(few, 'third', [talk, silence(10)])
    await eventually(
      () => alertsOf(few, 'third'),
      (alerts) => alerts.length === 1,
    )
  })
})
