import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HttpClient } from '../support/http-client.js'
import { suiteService } from '../support/suite-service.js'

/** The contract, by hand: a route that vanishes from the table must not vanish from here with it. */
const routes: Record<string, readonly string[]> = {
  '/': ['get'],
  '/v1/call/stream/{call_id}': ['post'],
  '/v1/call/start/{call_id}': ['post'],
  '/v1/call/complete/{call_id}': ['post'],
  '/v1/call/retry/{call_id}': ['post'],
  '/v1/call/{call_id}/alerts/{alert_id}/acknowledge': ['post'],
  '/v1/packets': ['post'],
  '/v1/call/{call_id}': ['get', 'delete'],
  '/v1/call/{call_id}/packets': ['get'],
  '/v1/call/{call_id}/gaps': ['get'],
  '/v1/call/{call_id}/audio.wav': ['get'],
  '/v1/call/{call_id}/transcript': ['get'],
  '/v1/calls': ['get'],
  '/v1/calls.csv': ['get'],
  '/v1/floor': ['get'],
  '/health/live': ['get'],
  '/health/ready': ['get'],
  '/metrics': ['get'],
  '/ws/supervisor': ['get'],
  '/v1/media/{dialect}': ['get'],
  '/v1/media/twilio/status': ['post'],
  '/v1/ari': ['get'],
  '/v1/supervisor/ticket': ['post'],
}

type Json = string | number | boolean | null | Json[] | { [key: string]: Json }

function* nodes(value: Json): Generator<{ [key: string]: Json }> {
  if (value === null || typeof value !== 'object') return
  if (!Array.isArray(value)) yield value
  for (const member of Object.values(value)) yield* nodes(member)
}

function resolve(document: Json, pointer: string): Json | undefined {
  let at: Json | undefined = document
  for (const part of pointer.split('/').slice(1)) {
    if (at === null || typeof at !== 'object') return undefined
    at = (at as { [key: string]: Json })[part.replaceAll('~1', '/').replaceAll('~0', '~')]
  }
  return at
}

describe('/openapi.json', () => {
  const service = suiteService()

  test('describes every route of the contract, and no other', async (t) => {
    const { status, headers, body } = await new HttpClient(t, service()).get('/openapi.json')
    assert.equal(status, 200)
    assert.equal(headers['content-type'], 'application/json')
    assert.equal(body['openapi'], '3.1.0')
    const paths = body['paths'] as Record<string, Record<string, Record<string, unknown>>>
    const described = Object.fromEntries(Object.entries(paths).map(([path, of]) => [path, Object.keys(of)]))
    assert.deepEqual(described, routes)
    for (const [path, operations] of Object.entries(paths))
      for (const [method, operation] of Object.entries(operations)) {
        const { responses, parameters, requestBody } = operation as {
          responses: Record<string, { description: string; content?: unknown }>
          parameters: { name: string; in: string }[]
          requestBody?: { required: boolean; content: Record<string, unknown> }
        }
        const name = `${method} ${path}`
        assert(Object.keys(responses).length > 1, name)
        for (const answer of Object.values(responses)) assert(answer.description.length > 0, name)
        // A template without its parameter is no OpenAPI.
        assert.deepEqual(
          parameters.filter((parameter) => parameter.in === 'path').map((parameter) => `{${parameter.name}}`),
          path.match(/\{\w+\}/g) ?? [],
          name,
        )
        // A retry says all with its path, and a ticket has nothing to say.
        const isOptional =
          path.includes('/retry/') ||
          path.includes('/start/') ||
          path.endsWith('/acknowledge') ||
          path.endsWith('/ticket')
        assert.equal(requestBody?.required, method === 'post' ? !isOptional : undefined, name)
      }
  })

  test('has no reference that leads nowhere', async (t) => {
    const { text } = await new HttpClient(t, service()).get('/openapi.json')
    const document: Json = JSON.parse(text)
    let references = 0
    for (const node of nodes(document)) {
      assert(!('$id' in node), 'a document has no addresses of schemas')
      const reference = node['$ref']
      if (typeof reference !== 'string') continue
      assert.match(reference, /^#\//)
      assert.notEqual(resolve(document, reference.slice(1)), undefined, reference)
      references++
    }
    assert(references > 10, `${references} references`)
  })

  test('describes every event that supervisors receive', async (t) => {
    const { body } = await new HttpClient(t, service()).get('/openapi.json')
    const events = body['x-events'] as Record<string, { properties: Record<string, unknown> }>
    assert.deepEqual(Object.keys(events).sort(), [
      'ai_attempt_failed',
      'ai_completed',
      'ai_failed',
      'alert_acknowledged',
      'alert_cleared',
      'alert_raised',
      'call_deleted',
      'call_started',
      'packet_duplicate',
      'packet_received',
      'packet_rejected',
      'packets_received',
      'state_changed',
    ])
    for (const { properties } of Object.values(events)) assert('position' in properties)
  })
})

describe('/docs', () => {
  const service = suiteService()
  const contentTypes: Record<string, RegExp> = {
    js: /^text\/javascript/,
    css: /^text\/css/,
    png: /^image\/png/,
  }

  test('and everything that it loads come from the service itself', async (t) => {
    const client = new HttpClient(t, service())
    const page = await client.get('/docs')
    assert.equal(page.status, 200)
    assert.match(page.headers['content-type'] ?? '', /^text\/html/)
    const loaded = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, at]) => at ?? '')
    assert(loaded.length >= 3)
    for (const at of loaded) {
      assert.match(at, /^docs\//, 'relative, for a service under a path')
      const { status, headers, text } = await client.get(`/${at}`)
      assert.equal(status, 200, at)
      assert.match(headers['content-type'] ?? '', contentTypes[at.split('.').at(-1) ?? ''] ?? /^$/, at)
      assert.equal(headers['x-content-type-options'], 'nosniff')
      assert(text.length > 50)
    }
    const start = await client.get('/docs/start.js')
    assert(start.text.includes("'openapi.json'"))
    for (const text of [page.text, start.text]) assert.doesNotMatch(text, /https?:\/\/|["']\/\//)
  })

  // The packaged scripts name many addresses; what forbids the browser to follow them is the policy.
  test('forbids the browser every other host and every script within the page', async (t) => {
    const { headers } = await new HttpClient(t, service()).get('/docs')
    const policy = new Map(
      (headers['content-security-policy'] as string).split('; ').map((directive) => {
        const [name = '', ...sources] = directive.split(' ')
        return [name, sources.join(' ')] as const
      }),
    )
    assert.equal(policy.get('default-src'), "'none'")
    assert.equal(policy.get('script-src'), "'self'")
    assert.equal(policy.get('connect-src'), "'self'")
    assert.equal(policy.get('frame-ancestors'), "'none'")
    for (const sources of policy.values()) assert.doesNotMatch(sources, /\*|https?:/)
  })

  test('has styles that load nothing from elsewhere', async (t) => {
    const { text } = await new HttpClient(t, service()).get('/docs/swagger-ui.css')
    for (const [, at = ''] of text.matchAll(/url\(["']?([^)"']{1,40})/g)) assert.match(at, /^data:/)
    assert.doesNotMatch(text, /@import/)
  })
})
