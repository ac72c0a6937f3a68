/**
 * Each metric, provoked and read. Guards against one that is registered and never counted, which looks like a healthy
 * service on every dashboard.
 */
import assert from 'node:assert/strict'
import { readFileSync, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import Database from 'better-sqlite3'
import { connectUnread } from '../support/handshake.js'
import { HttpClient } from '../support/http-client.js'
import { type Readings, readMetric, readMetrics } from '../support/metrics.js'
import {
  eventually,
  getText,
  packet,
  type Service,
  startService,
  temporaryFolder,
} from '../support/service.js'
import { SupervisorClient } from '../support/supervisor-client.js'
import { Stage } from '../torture/stage.js'
import { Strace, straceUnavailable, syncCalls } from '../torture/strace.js'

const reading = (readings: Readings, name: string) => readings.get(`voicestream_${name}`)

/** Waits until the named readings are as given. */
async function shows(service: Service, expected: Readonly<Record<string, number>>): Promise<Readings> {
  const names = Object.keys(expected)
  const pick = (readings: Readings) =>
    Object.fromEntries(names.map((name) => [name, reading(readings, name)]))
  try {
    return await eventually(
      () => readMetrics(service),
      (readings) => names.every((name) => reading(readings, name) === expected[name]),
      5000,
    )
  } catch {
    assert.deepEqual(pick(await readMetrics(service)), expected)
    throw new Error('it came too late')
  }
}

/** So many packets of a call, as lines for a bulk request. */
const lines = (callId: string, first: number, count: number, data = 'x') =>
  Array.from({ length: count }, (_, i) =>
    JSON.stringify({ call_id: callId, ...packet(first + i, data) }),
  ).join('\n')

test('every metric that is called a total is a counter', async (t) => {
  const service = await startService(t)
  const text = await getText(service, '/metrics')
  const types = [...text.matchAll(/^# TYPE (\S+) (\w+)$/gm)].map(([, name = '', type]) => ({ name, type }))
  assert(types.length > 50)
  assert.deepEqual(
    types.filter(({ name, type }) => name.endsWith('_total') !== (type === 'counter')),
    [],
  )
})

describe('the account of calls', () => {
  test('has what came late, what was lost, how calls were completed and how long they took', async (t) => {
    const service = await startService(t, { settings: { CALL_IDLE_TIMEOUT_MS: 1000 } })
    const client = new HttpClient(t, service)
    for (const sequence of [0, 4, 2, 2]) await client.packet('lossy', packet(sequence))
    await client.complete('lossy', 7)
    await client.packet('whole', packet(0))
    await client.complete('whole', 1)
    await client.packet('silent', packet(0))
    const after = await shows(service, {
      'calls_entered_total{state="ARCHIVED"}': 3,
      'calls_entered_total{state="IN_PROGRESS"}': 3,
      'calls_entered_total{state="FAILED"}': 0,
      'calls_completed_total{reason="completed"}': 2,
      'calls_completed_total{reason="idle_timeout"}': 1,
      // Packet 2 came after 4; 1, 3, 5 and 6 never came.
      packets_late_total: 1,
      packets_lost_total: 4,
      calls_with_loss_total: 1,
      'call_finish_seconds_count{state="ARCHIVED"}': 3,
      'ai_attempt_seconds_count{outcome="succeeded"}': 3,
    })
    const seconds = reading(after, 'call_finish_seconds_sum{state="ARCHIVED"}') ?? 0
    // Each has waited for its grace period of 200 ms.
    assert(seconds >= 0.6 && seconds < 60, `${seconds} s`)
    assert((reading(after, 'events_total') ?? 0) >= 3 * 3)
  })

  test('tells calls in memory from those that are only stored', async (t) => {
    const dataDir = temporaryFolder(t)
    const first = await startService(t, { dataDir })
    for (const id of ['a', 'b']) await new HttpClient(t, first).packet(id, packet(0))
    await shows(first, {
      calls_active: 2,
      'calls{state="IN_PROGRESS"}': 2,
      'calls_passive{state="IN_PROGRESS"}': 0,
    })
    first.kill('SIGTERM')
    assert.equal(await first.exited, 0)

    const next = await startService(t, { dataDir })
    await shows(next, {
      calls_active: 0,
      'calls{state="IN_PROGRESS"}': 2,
      'calls_passive{state="IN_PROGRESS"}': 2,
    })
    const client = new HttpClient(t, next)
    await client.packet('a', packet(1))
    await shows(next, { calls_active: 1, 'calls_passive{state="IN_PROGRESS"}': 1 })
    await client.complete('a', 2)
    await shows(next, {
      'calls{state="ARCHIVED"}': 1,
      'calls_passive{state="ARCHIVED"}': 0,
      'calls_passive{state="IN_PROGRESS"}': 1,
    })
  })
})

describe('the account of analyses', () => {
  test('has the attempts that failed and the calls that ended so', async (t) => {
    const service = await startService(t, {
      settings: {
        AI_SIMULATED_FAILURE_RATE: 1,
        AI_MAX_ATTEMPTS: 2,
        AI_BACKOFF_BASE_MS: 1,
        AI_BREAKER_FAILURES: 0,
      },
    })
    const client = new HttpClient(t, service)
    await client.packet('c1', packet(0))
    await client.complete('c1', 1)
    await shows(service, {
      'calls{state="FAILED"}': 1,
      'ai_attempts_total{outcome="failed"}': 2,
      'ai_attempts_total{outcome="succeeded"}': 0,
      'ai_attempt_seconds_count{outcome="failed"}': 2,
      'call_finish_seconds_count{state="FAILED"}': 1,
    })
  })

  test('tells attempts that run from those that wait for a slot', async (t) => {
    const slow = {
      AI_SIMULATED_LATENCY_MIN_MS: 10_000,
      AI_SIMULATED_LATENCY_MAX_MS: 10_000,
      AI_CONCURRENCY: 1,
    }
    const service = await startService(t, { settings: slow })
    const client = new HttpClient(t, service)
    for (const id of ['a', 'b', 'c']) {
      await client.packet(id, packet(0))
      await client.complete(id, 1)
    }
    await shows(service, { ai_attempts_running: 1, ai_attempts_waiting: 2, analyses_running: 3 })
  })
})

describe('the account of the store', { skip: straceUnavailable() ?? false }, () => {
  test('shows what waits for a commit, and that the service is overloaded', async (t) => {
    const stage = Stage.of(t)
    const service = await stage.service({ dataDir: stage.folder() })
    const client = new HttpClient(t, service, 600)
    await client.packet('c1', packet(0))
    await shows(service, {
      'not_ready{reason="overloaded"}': 0,
      journal_open_entries: 0,
      journal_open_bytes: 0,
    })
    // The disk is held until it has been seen: how long 550 connections take depends on the machine.
    const held = { calls: syncCalls, fault: 'delay_enter=60000000' }
    const strace = await Strace.attach(stage, service.child.pid as number, held)
    const sent = Array.from({ length: 550 }, (_, i) => client.packet('c1', packet(i + 1)))
    const waiting = await eventually(
      () => readMetrics(service),
      (readings) => reading(readings, 'not_ready{reason="overloaded"}') === 1,
    )
    const value = (name: string) => reading(waiting, name) ?? 0
    assert(value('requests_in_flight') > 512)
    assert(value('journal_open_entries') > 0)
    assert(value('journal_open_bytes') > value('journal_open_entries') * 8, 'and their data')
    assert(value('journal_queue_entries') > value('journal_open_entries'), 'those with the writer, too')
    await strace.detach()
    await Promise.all(sent)
  })
})

describe('the account of failures', () => {
  test('has commits that failed and the appends that were refused', async (t) => {
    // A file that may not grow past 2 MiB stands for a full disk: bash counts in KiB.
    const wrapper = ['bash', '-c', 'ulimit -f 2048; exec "$@"', 'bash']
    const service = await startService(t, { wrapper })
    const client = new HttpClient(t, service)
    const { status } = await client.bulk(lines('c1', 0, 100, 'y'.repeat(30_000)))
    assert.equal(status, 503)
    const after = await readMetrics(service)
    assert((reading(after, 'commits_failed_total') ?? 0) >= 1)
    assert((reading(after, 'appends_failed_total') ?? 0) >= 1)
    assert.equal(reading(after, 'responses_total{status="503"}'), 1)
  })

  test('has checkpoints that a reader of an old snapshot held up, and the log that grew', async (t) => {
    // Otherwise the log has to reach 68 MiB.
    const wrapper = ['env', 'NODE_OPTIONS=--import ./build/test/torture/preload/small-log.js']
    const service = await startService(t, { wrapper })
    const client = new HttpClient(t, service)
    await client.packet('c1', packet(0))
    const reader = new Database(join(service.dataDir, 'voicestream.db'), { readonly: true })
    t.after(() => reader.close())
    reader.exec('BEGIN; SELECT count(*) FROM calls')
    const mib = 1024 * 1024
    for (
      let first = 1;
      (await readMetric(service, 'voicestream_checkpoints_failed_total')) === 0;
      first += 120
    ) {
      assert(first < 120 * 30, 'no checkpoint has failed')
      assert.equal((await client.bulk(lines('c1', first, 120, 'y'.repeat(30_000)))).status, 202)
    }
    // The size of the log is told with a commit.
    await client.packet('c2', packet(0))
    const readings = await readMetrics(service)
    const logBytes = statSync(join(service.dataDir, 'voicestream.db-wal')).size
    const told = reading(readings, 'wal_bytes') ?? 0
    assert(told > 16 * mib && told <= logBytes, `${told} of ${logBytes}`)
  })
})

describe('the account of supervisors', () => {
  test('has their sockets and what waits for slow ones', async (t) => {
    const service = await startService(t)
    const client = new HttpClient(t, service)
    await SupervisorClient.connect(t, service)
    await shows(service, { supervisors: 1, supervisor_queued_bytes: 0, 'responses_total{status="101"}': 1 })
    connectUnread(t, service)
    await shows(service, { supervisors: 2 })
    // Each event lists a hundred missing numbers: 0.8 KB, and the kernel takes a few MiB of them.
    const id = 'w'.repeat(128)
    await client.packet(id, packet(5000))
    for (
      let first = 6000;
      (await readMetric(service, 'voicestream_supervisor_queued_bytes')) < 1_000_000;
      first += 2000
    ) {
      assert(first < 60_000, 'nothing waits')
      await client.bulk(lines(id, first, 2000))
    }
  })
})

describe('the account of the process', () => {
  test('has its version, its disk, its files and how busy it is', async (t) => {
    const service = await startService(t)
    const client = new HttpClient(t, service)
    const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
    const before = await shows(service, { [`build_info{version="${version}"}`]: 1 })
    const { bavail, bsize } = statfsSync(service.dataDir)
    const free = reading(before, 'data_free_bytes') ?? 0
    assert(Math.abs(free - bavail * bsize) < 2 ** 30, `${free} of ${bavail * bsize}`)
    const used = reading(before, 'data_used_bytes') ?? 0
    assert(used >= statSync(join(service.dataDir, 'voicestream.db')).size, `${used}`)
    for (let first = 0; first < 10_000; first += 1000)
      await client.bulk(lines('c1', first, 1000, 'y'.repeat(1000)))
    const after = await eventually(
      () => readMetrics(service),
      (readings) => (reading(readings, 'data_used_bytes') ?? 0) > used + 10_000_000,
    )
    const busy = (readings: Readings) => reading(readings, 'event_loop_busy_seconds_total') ?? Number.NaN
    assert(busy(after) > busy(before))
  })
})
