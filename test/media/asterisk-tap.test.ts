/**
 * The tap over ARI on a real Asterisk with real SIP phones. Callers play a tone of 400 Hz and agents one of 500 Hz, so that a track
 * which holds the other side is seen; what the media sockets carried is counted between the two, byte by byte.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import type { CallView } from '../../src/protocol/call.js'
import { freePort, skippedWithoutAsterisk } from '../support/asterisk.js'
import { bearer } from '../support/credentials.js'
import { HttpClient } from '../support/http-client.js'
import { type MediaTally, startMediaTally } from '../support/media-tally.js'
import { patience } from '../support/patience.js'
import { Pbx } from '../support/pbx.js'
import { agentScenario, callerScenario, deskScenario, dial, hangUp, pause, refer } from '../support/phones.js'
import { eventually, type Service, startService, temporaryFolder } from '../support/service.js'
import { audioOf, callsOf, callsWhere, socketsOf, toneOf } from '../support/tapped-calls.js'

const crowd = 20
/** A busy machine hears a leg later: what the phones do by the clock takes so many times as long there. */
const slowness = Math.min(4, patience(1))
const slow = (quietMs: number) => Math.round(quietMs * slowness)
const packetBytes = 160
const packetsPerSecond = 50

/** Asterisk with its tap, and a line for media between the two that counts. */
async function startTapped(
  t: TestContext,
  settings: Readonly<Record<string, string | number>> = {},
): Promise<{ readonly service: Service; readonly tally: MediaTally; readonly pbx: Pbx }> {
  const service = await startService(t, { settings: { GRACE_PERIOD_MS: 500, ...settings } })
  const tally = await startMediaTally(t, service.port)
  const pbx = await Pbx.start(t, targetsOf(service, tally))
  pbx.answer('agent', agentScenario)
  return { service, tally, pbx }
}

const targetsOf = ({ port }: { port: number }, tally: { port: number }) => ({
  ari: `ws://127.0.0.1:${port}/v1/ari`,
  media: `ws://127.0.0.1:${tally.port}/v1/media/asterisk`,
})

/** Of the timeline, without times. */
function notesOf({ notes }: CallView): readonly string[] {
  return (notes ?? []).map(({ kind, text }) => `${kind} ${text ?? ''}`.trim())
}

const callsIn = (text: string) => (JSON.parse(text) as { calls: CallView[] }).calls
const nameOf = ({ caller }: CallView) => (caller ?? '').replace(/ <.*/, '')

/** Every byte that a voice's socket carried is in its track, and nothing else, and it is the voice of that side. */
async function checkBytes(service: Service, tally: MediaTally, call: CallView): Promise<void> {
  for (const { track, name, missing_count, total_received } of call.tracks ?? []) {
    const what = `${call.caller}, ${name}`
    assert.equal(missing_count, 0, what)
    const sockets = socketsOf(tally, call.call_id, name)
    assert.equal(sockets.length, 1, `${what}: ${JSON.stringify(call.legs)}`)
    const sent = sockets[0]?.audio as Buffer
    assert(sent.length > 0, what)
    assert.equal(total_received, Math.ceil(sent.length / packetBytes), what)
    const stored = await audioOf(service, call.call_id, track)
    assert(stored.equals(sent), `${what}: ${stored.length} bytes are stored of ${sent.length}`)
    assert.equal(toneOf(stored), name?.startsWith('caller') ? 400 : 500, what)
  }
}

function checkHangups(call: CallView, legs: readonly string[]): void {
  const hangups = notesOf(call).filter((note) => note.startsWith('hangup'))
  assert.deepEqual(
    [...hangups].sort(),
    legs.map((leg) => `hangup ${leg}: 16 Normal Clearing`).sort(),
    call.caller ?? '',
  )
}

describe('a tapped Asterisk', { skip: skippedWithoutAsterisk() }, () => {
  test('with calls of many kinds at once: each is whole to the byte, and says what happened in it', async (t) => {
    // Guards against a byte that is lost, doubled or another's, against one side heard twice, against digits that are stored, and
    // against a transfer that makes two halves of a call.
    const { service, tally, pbx } = await startTapped(t)
    pbx.answer('desk', deskScenario(`${pause(slow(3000))}${refer('800')}`))
    const consults =
      pause(slow(1000)) + dial('*2', 1) + pause(slow(1500)) + dial('800', 5) + pause(slow(3500)) + hangUp(20)
    pbx.answer('front', deskScenario(consults))
    const over = await Promise.all([
      pbx.call({ extension: 'plain', scenario: callerScenario('Crowd'), talkMs: slow(5000), calls: crowd }),
      pbx.call({ extension: 'plain', scenario: callerScenario('Hold', 'sipp-caller-hold'), talkMs: 500 }),
      pbx.call({
        extension: 'plain',
        scenario: callerScenario('Digits', 'sipp-caller-dtmfinfo'),
        talkMs: slow(4000),
      }),
      pbx.call({ extension: 'plain', scenario: callerScenario('Gap', 'sipp-caller-gap'), talkMs: 500 }),
      pbx.call({ extension: 'desk', scenario: callerScenario('Blind'), talkMs: slow(8000) }),
      pbx.call({ extension: 'front', scenario: callerScenario('Attended'), talkMs: slow(12_000) }),
    ])
    assert.deepEqual(over, [null, null, null, null, null, null], 'no phone noticed anything')
    const calls = await callsWhere(
      service,
      (all) => all.length >= crowd + 5 && all.every(({ state }) => state === 'ARCHIVED'),
    )
    assert.equal(calls.length, crowd + 5)
    for (const call of calls) {
      await checkBytes(service, tally, call)
      assert.equal(call.reason, 'completed')
      assert.equal(call.metadata?.['context'], 'phones')
    }
    const named = (name: string) => calls.filter((call) => nameOf(call) === name)
    assert.equal(named('Crowd').length, crowd)
    for (const call of named('Crowd')) {
      assert.deepEqual([call.caller, call.callee], ['Crowd <caller>', 'plain'])
      assert.deepEqual(call.tracks?.map(({ name }) => name).sort(), ['callee', 'caller'])
      checkHangups(call, ['callee', 'caller'])
    }
    const [hold, digits, gap, blind, attended] = ['Hold', 'Digits', 'Gap', 'Blind', 'Attended'].map(
      (name) => named(name)[0] as CallView,
    ) as [CallView, CallView, CallView, CallView, CallView]
    assert.deepEqual(notesOf(hold).slice(0, 2), ['held caller', 'resumed caller'])
    assert.deepEqual(notesOf(digits).slice(0, 2), ['dtmf caller', 'dtmf caller'])
    assert(!JSON.stringify(digits.notes).includes('"5"') && !JSON.stringify(digits.notes).includes('#'))
    // Asterisk fills what a phone does not send with silence: 2.5 s of the 5 s.
    const silent = (await audioOf(service, gap.call_id, trackOf(gap, 'caller'))).filter(
      (byte) => byte === 0xff,
    )
    assert(silent.length >= 2 * packetsPerSecond * packetBytes, `${silent.length} samples of silence`)
    for (const call of [hold, digits, gap]) checkHangups(call, ['callee', 'caller'])
    assert(notesOf(blind).includes('mark blind transfer to 800'), JSON.stringify(notesOf(blind)))
    assert(notesOf(attended).includes('mark attended transfer'), JSON.stringify(notesOf(attended)))
    for (const call of [blind, attended]) {
      assert.deepEqual(call.tracks?.map(({ name }) => name).sort(), ['callee', 'callee-2', 'caller'])
      checkHangups(call, ['callee', 'callee-2', 'caller'])
    }
  })
})

// They wait more than they work.
describe('a tapped Asterisk', { skip: skippedWithoutAsterisk(), concurrency: true }, () => {
  test('whose way for media is away, held up or cut: the phones talk on, and are heard again', async (t) => {
    // Guards against a tap that gives up, against a burst after a stall that is shed, and against a call that our side harms.
    const { service, tally, pbx } = await startTapped(t, { GRACE_PERIOD_MS: 3000 })
    tally.away('closed')
    let isOver = false
    // They talk until they are hung up below, however long the rest takes.
    void pbx
      .call({ extension: 'plain', scenario: callerScenario('Route'), talkMs: slow(80_000) })
      .then(() => {
        isOver = true
      })
    const failedTries = () =>
      service.log.filter(({ reason }) => /not listened to/.test(String(reason))).length
    await eventually(
      async () => failedTries(),
      (tries) => tries >= 2,
      30_000,
    )
    tally.away(503)
    await eventually(
      async () => failedTries(),
      (tries) => tries >= 4,
      30_000,
    )
    tally.away(null)
    const isHeard = (sockets: number) => (calls: readonly CallView[]) =>
      calls.some(({ legs }) => legs?.length === sockets) &&
      tally.sockets.filter(({ audio }) => audio.length > packetsPerSecond * packetBytes).length === sockets
    await callsWhere(service, isHeard(2))
    tally.cut()
    await callsWhere(service, isHeard(4))
    const heldMs = 3000
    const received = ([call]: readonly CallView[]) => call?.total_received ?? 0
    const before = received(await callsOf(service))
    tally.hold(true)
    await new Promise((resolve) => setTimeout(resolve, heldMs))
    tally.hold(false)
    // Of two phones.
    await callsWhere(service, (calls) => received(calls) >= before + (2 * packetsPerSecond * heldMs) / 1000)
    assert(!isOver, 'the phones noticed nothing')
    pbx.cli('channel request hangup PJSIP/caller-00000000')
    const [call] = await callsWhere(service, (calls) => calls[0]?.state === 'ARCHIVED')
    assert(call !== undefined)
    assert.equal(call.legs?.length, 4)
    for (const { track, name, total_received } of call.tracks ?? []) {
      const [cut, whole] = socketsOf(tally, call.call_id, name).map(({ audio }) => audio)
      assert(cut !== undefined && whole !== undefined)
      const stored = await audioOf(service, call.call_id, track)
      // What was on its way when the line was cut is lost; behind it all is there, the burst as well.
      assert(
        stored.subarray(-whole.length).equals(whole),
        `${name}: ${stored.length} are stored of ${cut.length} and ${whole.length}; ${JSON.stringify(call)}`,
      )
      const first = stored.subarray(0, (total_received - whole.length / packetBytes) * packetBytes)
      assert(cut.subarray(0, first.length).equals(first) && cut.length - first.length < 20 * packetBytes)
    }
    assert(!notesOf(call).some((note) => note.includes('shed')))
  })

  test('that dies in the middle of a call and comes back, with one context of which calls are heard', async (t) => {
    // Guards against a call of a dead PBX that never ends, and against calls that nobody wanted heard.
    const { service, tally, pbx } = await startTapped(t, { LEG_GRACE_MS: 1000, ARI_CONTEXTS: 'sales' })
    const sales = (name: string) => callerScenario(name, 'sipp-caller', 'seller')
    void pbx.call({ extension: 'plain', scenario: sales('Before'), talkMs: slow(30_000) })
    const [live] = await callsWhere(
      service,
      (calls) => (calls[0]?.total_received ?? 0) > 2 * packetsPerSecond,
    )
    await pbx.kill()
    const [lost] = await callsWhere(service, (calls) => calls[0]?.state === 'ARCHIVED')
    assert.deepEqual([lost?.call_id, lost?.reason], [live?.call_id, 'stream_lost'])
    assert(lost?.legs?.every(({ ended_by }) => ended_by === 'lost'))
    const again = await Pbx.start(t, targetsOf(service, tally))
    again.answer('agent', agentScenario)
    const over = await Promise.all([
      again.call({ extension: 'plain', scenario: sales('After'), talkMs: slow(2500) }),
      again.call({ extension: 'plain', scenario: callerScenario('Unheard'), talkMs: slow(2500) }),
    ])
    assert.deepEqual(over, [null, null])
    const calls = await callsWhere(
      service,
      (all) => all.length >= 2 && all.every(({ state }) => state === 'ARCHIVED'),
    )
    assert.deepEqual(calls.map(nameOf).sort(), ['After', 'Before'])
    const after = calls.find((call) => nameOf(call) === 'After') as CallView
    await checkBytes(service, tally, after)
    assert.equal(after.metadata?.['context'], 'sales')
  })

  test('whose token the service does not know yet harms no call, and its calls are heard once the token is known', async (t) => {
    // Guards against a tap that anybody may open, and against tries with an old token that keep the new one out.
    const path = join(temporaryFolder(t), 'tokens')
    const write = (lines: readonly string[]) => writeFileSync(path, lines.join('\n'), { mode: 0o600 })
    const looker = 'admin token-of-who-looks looker'
    write([looker, 'ingest token-of-another-pbx other'])
    const { service, pbx } = await startTapped(t, { TOKENS_FILE: path })
    const client = new HttpClient(t, service)
    const asked = async (about: string) =>
      (await client.send('GET', about, bearer('token-of-who-looks'))).text
    const call = (name: string) =>
      pbx.call({ extension: 'plain', scenario: callerScenario(name), talkMs: slow(2500) })
    assert.equal(await call('Unknown'), null)
    assert.match(await asked('/metrics'), /voicestream_responses_total\{status="401"\} [1-9]/)
    assert.deepEqual(callsIn(await asked('/v1/calls')), [])
    write([looker, 'ingest secret-of-pbx-one asterisk'])
    service.kill('SIGHUP')
    await eventually(
      async () => service.log.filter(({ msg }) => /the tokens /.test(String(msg))).length,
      (reloads) => reloads === 1,
    )
    assert.equal(await call('Known'), null)
    const heard = await eventually(
      async () => callsIn(await asked('/v1/calls')).filter((one) => nameOf(one) === 'Known'),
      ([known]) => known?.state === 'ARCHIVED',
    )
    assert.deepEqual(heard[0]?.tracks?.map(({ name, total_received }) => [name, total_received > 0]).sort(), [
      ['callee', true],
      ['caller', true],
    ])
  })

  test('goes on with its calls while the service is stopped, and killed, and a transferred call stays one', async (t) => {
    // Guards against a call that is harmed by our end, and against a tap that a restart loses for good.
    const port = await freePort()
    const settings = { PORT: port, GRACE_PERIOD_MS: 500, LEG_GRACE_MS: 20_000 }
    let service = await startService(t, { settings })
    const { dataDir } = service
    const pbx = await Pbx.start(t, targetsOf({ port }, { port }))
    pbx.answer('agent', agentScenario)
    pbx.answer('desk', deskScenario(`${pause(slow(3000))}${refer('800')}`))
    const over = pbx.call({ extension: 'desk', scenario: callerScenario('Restart'), talkMs: slow(30_000) })
    const isHeard =
      (legs: number) =>
      ([call]: readonly CallView[]) =>
        call?.legs?.length === legs && call.legs.filter(({ ended_at }) => ended_at === null).length === 2
    const figures = (call: CallView | undefined, figure: 'missing_count' | 'total_received') =>
      ['caller', 'callee-2'].map((name) => call?.tracks?.find((track) => track.name === name)?.[figure] ?? 0)
    const isMore = (
      figure: 'missing_count' | 'total_received',
      least: number,
      before: CallView | undefined,
      [call]: readonly CallView[],
    ) =>
      figures(call, figure).every((count, index) => count >= Number(figures(before, figure)[index]) + least)
    // A second of each voice: a hole is seen between two packets.
    let [live] = await callsWhere(
      service,
      (calls) => isHeard(3)(calls) && isMore('total_received', packetsPerSecond, undefined, calls),
    )
    for (const [signal, legs] of [
      ['SIGTERM', 5],
      ['SIGKILL', 7],
    ] as const) {
      service.kill(signal)
      await service.exited
      service = await startService(t, { dataDir, settings })
      const before = live
      // It goes on, and the hole is seen.
      const [seen] = await callsWhere(
        service,
        (calls) =>
          isHeard(legs)(calls) &&
          isMore('missing_count', 1, before, calls) &&
          isMore('total_received', packetsPerSecond, before, calls),
      )
      assert.equal(seen?.call_id, before?.call_id)
      live = seen
    }
    assert.equal(await over, null, 'the phones noticed nothing')
    const calls = await callsWhere(service, (all) => all.every(({ state }) => state === 'ARCHIVED'))
    assert.deepEqual(
      calls.map((call) => [call.call_id, nameOf(call), call.reason]),
      [[live?.call_id, 'Restart', 'completed']],
    )
  })
})

function trackOf({ tracks }: CallView, name: string): number {
  return tracks?.find((track) => track.name === name)?.track ?? 0
}
