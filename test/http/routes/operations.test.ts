/** What the service says of itself: information, health, metrics, documents. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { callStates } from '../../../src/protocol/call-states.js'
import { HttpClient } from '../../support/http-client.js'
import { readMetrics } from '../../support/metrics.js'
import { eventually, packet } from '../../support/service.js'
import { suiteService } from '../../support/suite-service.js'

describe('the service', () => {
  const service = suiteService({ settings: { GRACE_PERIOD_MS: 0 } })

  test('says what it is', async (t) => {
    const { status, body } = await new HttpClient(t, service()).get('/')
    const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
    assert.equal(status, 200)
    assert.deepEqual(body, { service: 'VoiceStream', status: 'running', version })
  })

  test('lives and is ready', async (t) => {
    const client = new HttpClient(t, service())
    const live = await client.get('/health/live')
    assert.deepEqual([live.status, live.body], [200, { status: 'live' }])
    const ready = await client.get('/health/ready')
    assert.deepEqual([ready.status, ready.body], [200, { status: 'ready', reasons: [] }])
  })

  test('counts packets, answers, commits and calls by state', async (t) => {
    const client = new HttpClient(t, service())
    const before = await readMetrics(service())
    for (const sequence of [0, 1, 1]) await client.packet('counted', packet(sequence))
    await client.packet('counted', '{')
    await client.complete('counted', 2)
    await eventually(
      () => client.call('counted'),
      ({ body }) => body['state'] === 'ARCHIVED',
    )
    await client.packet('counted', packet(9))
    await client.packet('open', packet(0))
    const after = await readMetrics(service())
    const grown = (name: string) =>
      (after.get(`voicestream_${name}`) ?? 0) - (before.get(`voicestream_${name}`) ?? 0)
    assert.equal(grown('packets_total{status="accepted"}'), 3)
    assert.equal(grown('packets_total{status="duplicate"}'), 1)
    assert.equal(grown('packets_total{status="rejected"}'), 1)
    assert.equal(grown('responses_total{status="409"}'), 1)
    assert.equal(grown('responses_total{status="400"}'), 1)
    assert.equal(grown('calls{state="ARCHIVED"}'), 1)
    assert.equal(grown('calls{state="IN_PROGRESS"}'), 1)
    assert.equal(grown('calls{state="COMPLETED"}'), 0)
    assert.equal(grown('calls{state="PROCESSING_AI"}'), 0)
    assert.equal(grown('ai_attempts_total{outcome="succeeded"}'), 1)
    assert(grown('commit_seconds_count') >= 3)
    assert.equal(grown('commit_packets_sum'), 3)
    const ingest = 'request_seconds_count{route="/v1/call/stream/{call_id}"}'
    assert.equal(grown(ingest), 6)
  })

  test('has every metric that its operators are told of', async () => {
    const readings = await readMetrics(service())
    const names = [
      'calls_active',
      'calls_activating',
      'deadlines_armed',
      'analyses_running',
      'supervisors',
      'requests_in_flight',
      'journal_queue_entries',
      'journal_tail_bytes',
      'wal_bytes',
      'duplicate_mismatches_total',
      'duplicates_unchecked_total',
      'supervisors_dropped_total',
      'appends_failed_total',
      'store_duplicates_total',
      'process_resident_memory_bytes',
      'process_open_fds',
      'nodejs_eventloop_lag_seconds',
      ...callStates.map((state) => `calls{state="${state}"}`),
    ]
    for (const name of names) assert(readings.has(`voicestream_${name}`), name)
    assert.equal(readings.get('voicestream_requests_in_flight'), 1, 'the one that reads them')
  })

  test('gives its metrics as Prometheus reads them', async (t) => {
    const { status, headers, text } = await new HttpClient(t, service()).get('/metrics')
    assert.equal(status, 200)
    assert.match(headers['content-type'] ?? '', /^text\/plain; version=0\.0\.4/)
    const named = [...text.matchAll(/^# TYPE (\S+) (counter|gauge|histogram|summary)$/gm)].map(
      ([, name]) => name,
    )
    assert(named.length > 20)
    assert.equal(new Set(named).size, named.length)
    // No call may show in here: a scrape must not grow with the number of calls.
    assert(!text.includes('counted'))
  })
})
