/** `POST /v1/call/start/{call_id}` and what it leads to: the view, events, filters, searches. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HttpClient } from '../support/http-client.js'
import { assertProblem } from '../support/problems.js'
import { eventually, packet } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'
import { SupervisorClient } from '../support/supervisor-client.js'

const start = (client: HttpClient, callId: string, body: unknown) =>
  client.post(`/v1/call/start/${callId}`, body)

describe('a call’s start', () => {
  const service = suiteService({ settings: { DEFAULT_ENCODING: 'alaw', DEFAULT_SAMPLE_RATE: 16_000 } })

  test('is stored, shown, told and found', async (t) => {
    const client = new HttpClient(t, service())
    const supervisor = await SupervisorClient.connect(t, service())
    const body = {
      media: { encoding: 'mulaw', sample_rate: 8000 },
      direction: 'inbound',
      caller: '+49 30 "1234567"',
      callee: 'müller',
      agent: 'maria',
      queue: 'billing',
      metadata: { 'crm.id': 'A-1', empty: '' },
    }
    const answer = await start(client, 'said', body)
    assert.equal(answer.status, 202, answer.text)
    const media = { encoding: 'mulaw', sample_rate: 8000, channels: 1 }
    assert.deepEqual(answer.body, {
      status: 'accepted',
      message: 'Call start received',
      call_id: 'said',
      media,
    })
    const { body: view } = await client.call('said')
    const { direction, caller, callee, agent, queue, metadata } = view
    assert.deepEqual(
      { direction, caller, callee, agent, queue, metadata, media: view['media'] },
      { ...body, media },
    )
    assert.deepEqual(
      [view['state'], view['total_received'], view['last_packet_at']],
      ['IN_PROGRESS', 0, null],
    )
    await supervisor.until(() => supervisor.of('said').length > 0)
    const {
      position,
      at,
      arrivedAt: _,
      ...event
    } = supervisor.of('said')[0] as unknown as Record<string, unknown>
    assert(position && at)
    assert.deepEqual(event, { event: 'call_started', call_id: 'said', ...body, media })

    const named = async (query: string) => {
      const { status, body: page, text } = await client.get(`/v1/calls?${query}`)
      assert.equal(status, 200, text)
      return (page['calls'] as { call_id: string }[]).map(({ call_id }) => call_id)
    }
    await start(client, 'other', { agent: 'maria', direction: 'outbound' })
    assert.deepEqual(await named('agent=maria'), ['other', 'said'])
    assert.deepEqual(await named('agent=maria&direction=inbound'), ['said'])
    assert.deepEqual(
      await named(`caller=${encodeURIComponent(body.caller)}&callee=m%C3%BCller&queue=billing`),
      ['said'],
    )
    assert.deepEqual(await named('meta.crm.id=A-1&state=IN_PROGRESS'), ['said'])
    assert.deepEqual(await named('meta.crm.id=A-2'), [])
    await start(client, 'other', { agent: 'jo' })
    assert.deepEqual(await named('agent=maria'), ['said'])
  })

  test('that says nothing leaves what the settings say, and so does a packet', async (t) => {
    const client = new HttpClient(t, service())
    const empty = await client.send('POST', '/v1/call/start/empty', { 'content-length': 0 })
    assert.equal(empty.status, 202, empty.text)
    await client.packet('unsaid', packet(0))
    for (const callId of ['empty', 'unsaid'])
      assert.deepEqual((await client.call(callId)).body['media'], {
        encoding: 'alaw',
        sample_rate: 16_000,
        channels: 1,
      })
  })

  test('is refused where stored packets have other media, and after the grace period', async (t) => {
    const client = new HttpClient(t, service())
    await start(client, 'fixed', { media: { encoding: 'mulaw' } })
    await client.packet('fixed', packet(0))
    const { detail, type } = assertProblem(await start(client, 'fixed', { media: { encoding: 'text' } }), 409)
    assert.equal(type, 'urn:voicestream:problem:call_details_conflict')
    assert.match(detail, /packets of mulaw, 16000 Hz, 1 channels/)
  })

  test('says nothing with members that are not known, whatever they hold', async (t) => {
    // Guards against a PBX that is refused for what the contract says is ignored.
    const client = new HttpClient(t, service())
    const body = '{"agent":"maria","from":"\\ud800","other":{"a":"\\u0000"},"number":1e2}'
    assert.equal((await start(client, 'more', body)).status, 202)
    assert.equal((await client.call('more')).body['agent'], 'maria')
  })

  test('that is no start is refused with its reason, and has no effect', async (t) => {
    const client = new HttpClient(t, service())
    for (const [body, status, path] of [
      ['[]', 422, ''],
      ['{"agent":""}', 422, '/agent'],
      ['{"agent":"a\\nb"}', 422, '/agent'],
      ['{"agent":"\\ud800"}', 422, '/agent'],
      [JSON.stringify({ agent: 'x'.repeat(129) }), 422, '/agent'],
      ['{"direction":"sideways"}', 422, '/direction'],
      ['{"media":{"encoding":"opus"}}', 422, '/media/encoding'],
      ['{"media":{"sample_rate":8e3}}', 422, '/media/sample_rate'],
      ['{"media":{"channels":0}}', 422, '/media/channels'],
      ['{"media":{"channels":1,"channels":2}}', 400, null],
      ['{"metadata":{"__proto__":"x"}}', 400, null],
      ['{"metadata":{"a":"1","a":"2"}}', 400, null],
      ['{"metadata":{"a b":"1"}}', 422, '/metadata'],
      ['{"metadata":{"a":1}}', 422, '/metadata/a'],
      ['{"metadata":{"a":"\\u0000"}}', 422, '/metadata/a'],
      [
        JSON.stringify({ metadata: Object.fromEntries([...Array(33).keys()].map((i) => [`k${i}`, ''])) }),
        422,
        '/metadata',
      ],
      ['{', 400, null],
    ] as const) {
      const answer = await start(client, 'bad', body)
      const { errors } = assertProblem(answer, status)
      if (path !== null)
        assert(
          errors.some((error) => error.path.startsWith(path)),
          `${body}: ${answer.text}`,
        )
    }
    assert.equal((await client.call('bad')).status, 404)
  })
})

describe('a search in transcripts', () => {
  const service = suiteService({
    settings: { GRACE_PERIOD_MS: 0, AI_SIMULATED_LATENCY_MIN_MS: 0, AI_SIMULATED_LATENCY_MAX_MS: 0 },
  })

  test('gives the calls in which it was said, with a match in parts', async (t) => {
    const client = new HttpClient(t, service())
    for (let i = 1; i <= 3; i++) {
      for (let sequence = 0; sequence < i; sequence++) await client.packet(`found-${i}`, packet(sequence))
      await client.complete(`found-${i}`, 3)
    }
    // No packet at all: it is analysed, too.
    await client.post('/v1/call/start/found-0', { agent: 'maria' })
    await client.complete('found-0', 3)
    const archived = () => client.get('/v1/calls?state=ARCHIVED')
    await eventually(archived, ({ body }) => (body['calls'] as unknown[]).length === 4, 30_000)
    const search = async (q: string, more = '') => {
      const { body, status, text } = await client.get(`/v1/calls?q=${encodeURIComponent(q)}${more}`)
      assert.equal(status, 200, text)
      return (body['calls'] as { call_id: string; match: { text: string; found: boolean }[] }[]).map(
        ({ call_id, match }) =>
          `${call_id} ${match.map(({ text: part, found }) => (found ? `[${part}]` : part)).join('')}`,
      )
    }
    const [only, ...others] = await search('"of 2 packets" simul*')
    assert.match(only ?? '', /^found-2 \[Simulated\] transcription \[of 2 packets\], \d+ bytes/)
    assert.deepEqual(others, [])
    assert.deepEqual((await search('transcription')).length, 4)
    assert.deepEqual((await search('transcription', '&agent=maria')).length, 1)
    assert.deepEqual((await search('transcription', '&state=FAILED')).length, 0)
  })

  test('that cannot be understood is 422, never 500', async (t) => {
    const client = new HttpClient(t, service())
    for (const q of ['', '"', '*', 'a*', 'x'.repeat(300), '%00', '"a', '%ff'])
      assertProblem(
        await client.get(`/v1/calls?q=${q === '%00' || q === '%ff' ? q : encodeURIComponent(q)}`),
        422,
      )
    const filters = [...Array(9).keys()].map((i) => `meta.k${i}=v`).join('&')
    assertProblem(await client.get(`/v1/calls?${filters}`), 422)
    for (const q of ['NEAR(a b)', 'a AND', 'text:x', '^x', "x'; DROP", '{a}', 'a"b"c', '\\\\x'])
      assert.equal((await client.get(`/v1/calls?q=${encodeURIComponent(q)}`)).status, 200, q)
  })
})
