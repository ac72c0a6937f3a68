/**
 * `kill -9` in each state of a call, then a restart: the call goes on by itself from what the journal says. Guards
 * against deadlines that are not armed at a start, a grace period that begins anew, attempts that are forgotten, and
 * calls that end twice.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { eventually, get, packet, post, type Service } from '../support/service.js'
import { describeLives, judgeLives, type Sighting } from '../torture/lifecycle-oracle.js'
import type { View } from '../torture/read-back.js'
import { killHard, Stage, sleep } from '../torture/stage.js'
import { Supervisor } from '../torture/supervisor.js'

type Settings = Readonly<Record<string, string | number>>

/** One data folder, many runs of the service on it. */
class Runs {
  readonly #stage: Stage
  readonly #dataDir: string
  readonly supervisor: Supervisor
  readonly #sightings: Sighting[] = []
  readonly #retried: string[] = []
  service!: Service

  constructor(stage: Stage) {
    this.#stage = stage
    this.#dataDir = stage.folder()
    this.supervisor = new Supervisor(stage)
  }

  async start(settings: Settings): Promise<void> {
    this.service = await this.#stage.service({ dataDir: this.#dataDir, settings })
    await this.supervisor.connect(this.service.port)
  }

  /** Killed, and started again after `downMs`. */
  async crash(settings: Settings, downMs = 0): Promise<void> {
    await killHard(this.service)
    await sleep(downMs)
    await this.start(settings)
  }

  async send(call: string, ...sequences: readonly number[]): Promise<void> {
    for (const sequence of sequences) {
      const { status, body } = await post(this.service, `/v1/call/stream/${call}`, packet(sequence))
      assert.equal(status, 202)
      assert.equal(body['status'], 'accepted')
    }
  }

  async complete(call: string, total: number): Promise<void> {
    const { status } = await post(this.service, `/v1/call/complete/${call}`, { total_packets: total })
    assert.equal(status, 202)
  }

  async retry(call: string): Promise<void> {
    this.#retried.push(call)
    const { status, body } = await post(this.service, `/v1/call/retry/${call}`, {})
    assert.equal(status, 202)
    assert.equal(body['status'], 'accepted')
  }

  async view(call: string): Promise<View> {
    const view = (await get(this.service, `/v1/call/${call}`)).body as unknown as View
    const { attempts, redrives } = view.ai
    this.#sightings.push({ call, state: view.state, attempts, redrives, endedAt: view.ended_at })
    return view
  }

  until(call: string, isSo: (view: View) => boolean, msMax = 90_000): Promise<View> {
    return eventually(() => this.view(call), isSo, msMax)
  }

  /** Over all runs: every call went forwards only, and ended once. */
  assertOneLife(...calls: readonly string[]): void {
    const lives = {
      changes: this.supervisor.changes,
      sightings: this.#sightings,
      completed: calls,
      attemptsMax: 5,
      retried: this.#retried,
    }
    assert(lives.sightings.length > 0)
    assert.equal(describeLives(judgeLives(lives)), '')
  }

  /** Only where a supervisor was connected when the call ended: an end that came right after a start may be missed. */
  async assertEndTold(call: string): Promise<void> {
    const ends = async () =>
      this.supervisor.changes.filter(
        (change) => change.call === call && (change.to === 'ARCHIVED' || change.to === 'FAILED'),
      ).length
    assert.equal(await eventually(ends, (count) => count > 0, 2000), 1)
  }
}

const hasEnded = ({ state }: View) => state === 'ARCHIVED' || state === 'FAILED'
const between = (view: View) => Date.parse(view.ended_at ?? '') - Date.parse(view.completed_at ?? '')

/** So much of a deadline has passed that one which begins anew at the restart is well past every slack. */
const killAfterMs = 1200
/** A machine on which a restart takes long is late with everything. */
const slackMs = (upAfterMs: number) => 1000 + (upAfterMs - killAfterMs) / 2

/** The call’s own attempts are what is tested, and not an outage, in which they would not count. */
const failsAlways = { AI_SIMULATED_FAILURE_RATE: 1, AI_BREAKER_FAILURES: 0 }

// Mostly waiting, so they wait together.
describe('kill -9 in each state of a call', { concurrency: 2 }, () => {
  test('a call in progress that was killed has its exact gaps and takes packets again', async (t) => {
    const runs = new Runs(Stage.of(t))
    await runs.start({})
    await runs.send('c1', 0, 2, 5)
    await runs.crash({})

    const killed = await runs.view('c1')
    assert.equal(killed.state, 'IN_PROGRESS')
    assert.deepEqual(killed.missing_ranges, [
      [1, 1],
      [3, 4],
    ])
    const again = await post(runs.service, '/v1/call/stream/c1', packet(2))
    assert.equal(again.body['status'], 'duplicate')
    await runs.send('c1', 1, 7)
    await runs.complete('c1', 10)

    const ended = await runs.until('c1', hasEnded)
    assert.equal(ended.state, 'ARCHIVED')
    assert.equal(ended.total_received, 5)
    assert.deepEqual(ended.missing_ranges, [
      [3, 4],
      [6, 6],
      [8, 9],
    ])
    await runs.assertEndTold('c1')
    runs.assertOneLife('c1')
  })

  test('an idle call that was killed is completed by what was left of its idle timeout', async (t) => {
    const idleMs = 2500
    const runs = new Runs(Stage.of(t))
    await runs.start({ CALL_IDLE_TIMEOUT_MS: idleMs })
    await runs.send('c1', 0)
    const sentAt = Date.now()
    await sleep(killAfterMs)
    await runs.crash({ CALL_IDLE_TIMEOUT_MS: idleMs })
    const upAfterMs = Date.now() - sentAt

    const ended = await runs.until('c1', hasEnded)
    const completedAfterMs = Date.parse(ended.completed_at ?? '') - sentAt
    assert(completedAfterMs >= idleMs - 100, `completed after ${completedAfterMs} ms`)
    const latestMs = Math.max(idleMs, upAfterMs) + slackMs(upAfterMs)
    assert(completedAfterMs <= latestMs, `completed after ${completedAfterMs} ms`)
  })

  test('a grace period that was killed goes on with what was left of it, and takes late packets', async (t) => {
    // The longer one is for a machine that is too busy to start the service within the shorter.
    for (const graceMs of [3500, 15_000, 45_000]) {
      const runs = new Runs(Stage.of(t))
      await runs.start({ GRACE_PERIOD_MS: graceMs })
      await runs.send('c1', 0, 1)
      await runs.complete('c1', 4)
      const completedAt = Date.now()
      await sleep(killAfterMs)
      await runs.crash({ GRACE_PERIOD_MS: graceMs })
      const upAfterMs = Date.now() - completedAt
      if (upAfterMs > graceMs - 500) continue

      const killed = await runs.view('c1')
      assert.equal(killed.state, 'COMPLETED')
      assert.equal(killed.missing_count, 2)
      await runs.send('c1', 3)
      const ended = await runs.until('c1', hasEnded)
      assert.equal(ended.state, 'ARCHIVED')
      assert.deepEqual(ended.missing_ranges, [[2, 2]])
      // All of it once: not what was left plus a whole new one, and not less either.
      assert(between(ended) >= graceMs, `ended ${between(ended)} ms after its completion`)
      assert(
        between(ended) <= graceMs + slackMs(upAfterMs),
        `ended ${between(ended)} ms after its completion`,
      )
      await runs.assertEndTold('c1')
      return runs.assertOneLife('c1')
    }
    assert.fail('every restart took longer than the grace period')
  })

  test('a grace period that ended while the service was down is over at its start', async (t) => {
    const runs = new Runs(Stage.of(t))
    // So long that a whole new one cannot be taken for what a busy machine takes to start and to analyse.
    const graceMs = 6000
    const settings = { GRACE_PERIOD_MS: graceMs }
    await runs.start(settings)
    await runs.send('c1', 0)
    await runs.complete('c1', 2)
    await runs.crash(settings, graceMs + 100)

    const startedAt = Date.now()
    const ended = await runs.until('c1', hasEnded)
    assert.equal(ended.state, 'ARCHIVED')
    assert(Date.now() - startedAt < graceMs, 'the deadline had passed, and the call was left waiting')
    const late = await post(runs.service, '/v1/call/stream/c1', packet(1))
    assert.equal(late.status, 409)
    runs.assertOneLife('c1')
  })

  test('attempts that a kill broke off count: after the last one the call fails, once', async (t) => {
    const runs = new Runs(Stage.of(t))
    const attemptsMax = 3
    const hanging = {
      GRACE_PERIOD_MS: 50,
      AI_MAX_ATTEMPTS: attemptsMax,
      AI_SIMULATED_LATENCY_MIN_MS: 60_000,
      AI_SIMULATED_LATENCY_MAX_MS: 60_000,
    }
    await runs.start(hanging)
    await runs.send('c1', 0)
    await runs.complete('c1', 1)
    for (let attempt = 1; attempt <= attemptsMax; attempt++) {
      const during = await runs.until('c1', ({ ai }) => ai.attempts === attempt)
      assert.equal(during.state, 'PROCESSING_AI')
      await runs.crash(hanging)
    }
    const ended = await runs.until('c1', hasEnded)
    assert.equal(ended.state, 'FAILED')
    assert.equal(ended.ai.attempts, attemptsMax)
    await runs.crash({})
    assert.deepEqual(await runs.view('c1'), ended)
    runs.assertOneLife('c1')
  })

  test('an attempt that a kill broke off is followed by the next one, which may succeed', async (t) => {
    const runs = new Runs(Stage.of(t))
    const slow = { GRACE_PERIOD_MS: 50, AI_SIMULATED_LATENCY_MIN_MS: 5000, AI_SIMULATED_LATENCY_MAX_MS: 5000 }
    await runs.start(slow)
    await runs.send('c1', 0, 1, 3)
    await runs.complete('c1', 4)
    await runs.until('c1', ({ ai }) => ai.attempts === 1)
    await runs.crash({})

    const ended = await runs.until('c1', hasEnded)
    assert.equal(ended.state, 'ARCHIVED')
    assert.equal(ended.ai.attempts, 2)
    assert.match(ended.ai.transcription ?? '', /3 packets.*1 missing/)
    runs.assertOneLife('c1')
  })

  test('a wait between attempts that was killed goes on, and the attempts before it count', async (t) => {
    const runs = new Runs(Stage.of(t))
    const failing = { ...failsAlways, GRACE_PERIOD_MS: 50, AI_BACKOFF_BASE_MS: 250 }
    await runs.start(failing)
    await runs.send('c1', 0)
    await runs.complete('c1', 1)
    const waiting = await runs.until('c1', ({ ai }) => ai.attempts === 3 && ai.next_attempt_at !== null)
    assert.equal(waiting.state, 'PROCESSING_AI')
    await runs.crash(failing)
    const resumed = await runs.view('c1')
    assert(resumed.ai.attempts >= 3, `${resumed.ai.attempts} attempts`)

    const ended = await runs.until('c1', hasEnded)
    assert.equal(ended.state, 'FAILED')
    assert.equal(ended.ai.attempts, 5)
    // Waits of 250, 500, 1000 and 2000 ms, whatever happened between.
    const waitedMs = between(ended) - 50
    assert(waitedMs >= 3700, `all waits together took ${waitedMs} ms`)
    await runs.assertEndTold('c1')
    runs.assertOneLife('c1')
  })

  test('calls that have ended stay as they were, whatever comes after a kill', async (t) => {
    const runs = new Runs(Stage.of(t))
    await runs.start({ AI_SIMULATED_FAILURE_RATE: 0 })
    await runs.send('archived', 0, 2)
    await runs.complete('archived', 3)
    await runs.until('archived', hasEnded)
    await runs.crash({ ...failsAlways, AI_BACKOFF_BASE_MS: 1 })
    await runs.send('failed', 0)
    await runs.complete('failed', 1)
    const before = { archived: await runs.view('archived'), failed: await runs.until('failed', hasEnded) }
    assert.equal(before.archived.state, 'ARCHIVED')
    assert.equal(before.failed.state, 'FAILED')
    await runs.crash({})

    for (const [call, view] of Object.entries(before)) {
      assert.deepEqual(await runs.view(call), view)
      const duplicate = await post(runs.service, `/v1/call/stream/${call}`, packet(0))
      assert.equal(duplicate.status, 202)
      assert.equal(duplicate.body['status'], 'duplicate')
      assert.equal((await post(runs.service, `/v1/call/stream/${call}`, packet(1))).status, 409)
      await runs.complete(call, view.expected_total_packets ?? 0)
      const { state, ended_at, total_received, ai } = await runs.view(call)
      assert.deepEqual(
        { state, ended_at, total_received, ai },
        { state: view.state, ended_at: view.ended_at, total_received: view.total_received, ai: view.ai },
      )
      runs.assertOneLife(call)
    }
  })

  test('a retry that was acknowledged goes on after a kill right behind its answer', async (t) => {
    // Guards against a 202 that leaves before the redrive is on disk, and a redrive whose deadline nobody arms.
    const runs = new Runs(Stage.of(t))
    await runs.start({ ...failsAlways, GRACE_PERIOD_MS: 50, AI_BACKOFF_BASE_MS: 1 })
    await runs.send('c1', 0)
    await runs.complete('c1', 1)
    const failed = await runs.until('c1', hasEnded)
    assert.deepEqual([failed.state, failed.ai.attempts, failed.ai.redrives], ['FAILED', 5, 0])
    await runs.retry('c1')
    await runs.crash({ AI_SIMULATED_FAILURE_RATE: 0 })

    const ended = await runs.until('c1', ({ state }) => state === 'ARCHIVED')
    assert.equal(ended.ai.redrives, 1)
    assert(ended.ai.attempts <= 2 && ended.ai.attempts_total >= 6, JSON.stringify(ended.ai))
    runs.assertOneLife('c1')
  })
})
