/** Lists of calls by people, queues, numbers, sentiment and time, as JSON and as a table. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HttpClient } from '../support/http-client.js'
import { assertProblem } from '../support/problems.js'
import { eventually, packet } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'

const parties = [
  { call: 'f-1', agent: 'Maria Lopez', queue: 'Billing', caller: '+4930111', callee: '+44201' },
  { call: 'f-2', agent: 'Jonas Weber', queue: 'Billing', caller: '+4930222', callee: '+44201' },
  { call: 'f-3', agent: 'Zoë Marín', queue: 'Sales', caller: '+15550100', callee: '+4930111' },
  { call: 'f-4', agent: '=HYPERLINK("x")', queue: 'Sales, "old"', caller: '+33 1 99', callee: '-1+cmd' },
]

describe('a list of calls', () => {
  const service = suiteService({ settings: { GRACE_PERIOD_MS: 0, AI_PROVIDER: 'local' } })
  let isFilled = false

  async function filled(t: Parameters<Parameters<typeof test>[0] & object>[0]): Promise<HttpClient> {
    const client = new HttpClient(t, service())
    if (isFilled) return client
    isFilled = true
    for (const [i, { call, ...said }] of parties.entries()) {
      await client.post(`/v1/call/start/${call}`, said)
      await client.packet(
        call,
        packet(0, i === 0 ? 'This is terrible, I am furious.' : 'Wonderful, thank you, great!'),
      )
      if (i < 3) await client.complete(call, 1)
    }
    await eventually(
      () => client.get('/v1/calls?state=ARCHIVED'),
      ({ body }) => (body['calls'] as unknown[]).length === 3,
    )
    return client
  }

  const idsOf = async (client: HttpClient, query: Record<string, string>) => {
    const { status, body, text } = await client.get(`/v1/calls?${new URLSearchParams(query)}`)
    assert.equal(status, 200, text)
    return (body['calls'] as { call_id: string }[]).map(({ call_id }) => call_id)
  }

  for (const [query, ids] of [
    [{ agent: 'mar*' }, ['f-3', 'f-1']],
    [{ agent: 'Maria Lopez' }, ['f-1']],
    [{ agent: 'maria lopez' }, []],
    [{ queue: 'BILL*' }, ['f-2', 'f-1']],
    [{ queue: 'bill*', agent: 'jo*' }, ['f-2']],
    [{ number: '+4930*' }, ['f-3', 'f-2', 'f-1']],
    [{ number: '+4930111' }, ['f-3', 'f-1']],
    [{ caller: '+4930*' }, ['f-2', 'f-1']],
    [{ sentiment: 'negative' }, ['f-1']],
    [{ sentiment: 'positive', queue: 'sal*' }, ['f-3']],
    [{ state: 'IN_PROGRESS', queue: 'sal*' }, ['f-4']],
    [{ order: 'oldest', queue: 'bill*' }, ['f-1', 'f-2']],
    [{ from: '2020-01-01', to: '2020-01-02' }, []],
    [{ from: '2020-01-01T00:00:00+02:00', sentiment: 'negative' }, ['f-1']],
    [{ to: '2020-01-01' }, []],
    [{ q: 'wonderful', agent: 'zoe*' }, ['f-3']],
  ] as const)
    test(`${JSON.stringify(query)} is ${ids.length === 0 ? 'nobody' : ids.join(', ')}`, async (t) => {
      assert.deepEqual(await idsOf(await filled(t), query), ids)
    })

  test('refuses a filter that it does not understand, by its name', async (t) => {
    const client = await filled(t)
    for (const [query, path] of [
      ['sentiment=angry', '/query/sentiment'],
      ['agent=*', '/query/agent'],
      ['number=*', '/query/number'],
      ['from=yesterday', '/query/from'],
      ['from=2026-02-30', '/query/from'],
      ['to=2026-01-01T10:00', '/query/to'],
      ['order=up', '/query/order'],
    ] as const)
      for (const route of ['/v1/calls', '/v1/calls.csv']) {
        const { errors } = assertProblem(await client.get(`${route}?${query}`), 422)
        assert.equal(errors[0]?.path, path, query)
      }
  })

  test('is a table, too, which no spreadsheet takes for formulas', async (t) => {
    const client = await filled(t)
    const answer = await client.get('/v1/calls.csv?order=oldest')
    assert.equal(answer.status, 200)
    assert.equal(answer.headers['content-type'], 'text/csv; charset=utf-8')
    assert.match(String(answer.headers['content-disposition']), /attachment; filename="calls.csv"/)
    assert.equal(answer.headers['link'], undefined)
    const [head, ...rows] = answer.text.split('\r\n')
    assert.match(head ?? '', /^started_at,duration_seconds,agent,queue,caller,callee,/)
    assert.equal(rows.pop(), '', 'the last line is ended, too')
    assert.deepEqual(
      rows.map((row) => row.split(',').at(-1)),
      ['f-1', 'f-2', 'f-3', 'f-4'],
    )
    assert.match(rows[0] ?? '', /,Maria Lopez,Billing,\+4930111,\+44201,,ARCHIVED,negative,1,0,/)
    const [, , ...hostile] = (rows[3] ?? '').split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/)
    assert.deepEqual(hostile.slice(0, 4), [`"'=HYPERLINK(""x"")"`, '"Sales, ""old"""', '+33 1 99', "'-1+cmd"])
    const none = await client.get('/v1/calls.csv?agent=nobody*')
    assert.deepEqual(none.text.split('\r\n').length, 2)
  })
})
