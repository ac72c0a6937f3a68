/**
 * Signatures of platforms, by vectors that were made apart from this code. Guards against a signature that is right and refused because a
 * proxy wrote the address otherwise, and against one that is wrong, old or used and lets somebody in.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { checkAudioHookSignature } from '../../../src/media/signatures/audiohook-signature.js'
import { NonceMemory } from '../../../src/media/signatures/nonce-memory.js'
import { checkPlivoSignature } from '../../../src/media/signatures/plivo-signature.js'
import { checkTelnyxToken } from '../../../src/media/signatures/telnyx-token.js'
import { checkTwilioSignature } from '../../../src/media/signatures/twilio-signature.js'
import type { Verdict } from '../../../src/media/signatures/verdict.js'

const token = '0123456789abcdef0123456789abcdef'

function headersOf(headers: Readonly<Record<string, string | undefined>>) {
  // Some servers say an empty text where there is no header.
  return { get: (name: string) => headers[name] ?? '' }
}

const isRight = ({ kind }: Verdict) => kind === 'right'

describe('Twilio', () => {
  const check = (
    signature: string | undefined,
    change: {
      origin?: string
      path?: string
      query?: string
      form?: string
      settings?: string
      tokens?: string[]
    } = {},
  ) =>
    checkTwilioSignature(
      {
        origin: change.origin ?? 'https://vs.example.test',
        path: change.path ?? '/v1/ingest/twilio',
        query: change.query ?? '',
        headers: headersOf({
          'x-twilio-signature': signature,
          'x-twilio-webhooks-signature-settings': change.settings,
        }),
      },
      change.tokens ?? [token],
      change.form,
    )

  for (const [what, signature] of [
    ['as it is in TwiML', 'FCe/PucPiIFsFEY6BI2bM2MN0Yw='],
    ['with a slash at the end', 'ByzRl4nzxNP8uZndlEadVwLNJAY='],
    ['as https, as a proxy has it', 'DmxQg4tdC0EIQjVwuzAj6WgbWD0='],
    ['with its port', 'zUFZTGwdwUAxEpKMUwRyZNjhXY0='],
  ] as const)
    test(`may have signed the address ${what}`, () => {
      assert(isRight(check(signature)))
      assert(isRight(check(signature, { path: '/v1/ingest/twilio/' })))
      assert(isRight(check(signature, { origin: 'wss://vs.example.test:443' })))
      assert(!isRight(check(signature, { path: '/v1/ingest/other' })))
      assert(!isRight(check(signature, { origin: 'https://other.example.test' })))
    })

  test('may reach the service through a proxy that takes a prefix away', () => {
    // The vector's path, of which the proxy passes on the last part only.
    const prefixed = (path: string) =>
      check('FCe/PucPiIFsFEY6BI2bM2MN0Yw=', { origin: 'https://vs.example.test/v1/', path })
    assert(isRight(prefixed('/ingest/twilio')))
    assert(!isRight(prefixed('/v1/ingest/twilio')))
  })

  test('may have signed a query as part of the address, as parameters, or not at all', () => {
    for (const signature of [
      'lT/4Z/F6/IJllE1OdCtdm3LIxOc=',
      'FsPxDiYk5iKLGqIgea/BeDH6r9w=',
      'FCe/PucPiIFsFEY6BI2bM2MN0Yw=',
    ])
      assert(isRight(check(signature, { query: 'a=1&b=2' })))
    assert(!isRight(check('lT/4Z/F6/IJllE1OdCtdm3LIxOc=', { query: 'a=1&b=3' })))
  })

  test('signs the parameters of a webhook, in any order', () => {
    const signature = '4hdhMnXzsrmQC4B/nkehLIdzGvY='
    const form = 'StreamEvent=stream-stopped&AccountSid=AC1&CallSid=CA1'
    assert(isRight(check(signature, { path: '/hooks/status', form })))
    assert(!isRight(check(signature, { path: '/hooks/status', form: form.replace('stopped', 'started') })))
  })

  test('may sign with SHA-256, which its settings say', () => {
    const signature = 'gFr9gCWtJfO+UUxzmOUxFalP/CSBMIfqw5MwHDEfDDk='
    assert(isRight(check(signature, { settings: 'key=k1,algorithm=HMAC_SHA256' })))
    assert(!isRight(check(signature)))
    assert(!isRight(check('FCe/PucPiIFsFEY6BI2bM2MN0Yw=', { settings: 'algorithm=HMAC_SHA256' })))
    for (const settings of ['algorithm=NONE', 'algorithm=toString', 'key=1'])
      assert(!isRight(check('FCe/PucPiIFsFEY6BI2bM2MN0Yw=', { settings })))
  })

  test('may sign with either of two tokens, and with none that is not there', () => {
    const signature = 'FCe/PucPiIFsFEY6BI2bM2MN0Yw='
    assert(isRight(check(signature, { tokens: ['f'.repeat(32), token] })))
    assert(!isRight(check(signature, { tokens: ['f'.repeat(32)] })))
    assert(!isRight(check(signature, { tokens: [] })))
  })

  test('that signs nothing, or half, is refused', () => {
    for (const signature of [
      undefined,
      '',
      'x',
      'FCe/PucPiIFsFEY6BI2bM2MN0Y',
      'fce/pucpiifsfey6bi2bm2mn0yw=',
    ])
      assert(!isRight(check(signature)))
    assert(!isRight(check('FCe/PucPiIFsFEY6BI2bM2MN0Yw=', { origin: 'not a URL' })))
  })
})

describe('Plivo', () => {
  const check = (signature: string, query = '', nonce: string | undefined = 'nonce-0001', tokens = [token]) =>
    checkPlivoSignature(
      {
        origin: 'https://vs.example.test',
        path: query === '' ? '/v1/ingest/plivo' : '/v1/ingest/plivo',
        query,
        headers: headersOf({ 'x-plivo-signature-v3': signature, 'x-plivo-signature-v3-nonce': nonce }),
      },
      tokens,
    )

  test('signs https, wss, and a query sorted by name', () => {
    assert(isRight(check('xb7Qw+hin+Gvb9HiKHEwT7VIEPC4Q/K8C69MEusyO0I=')))
    assert(isRight(check('BExgeHQy0XuH3ZdbCkfJ+gPG2iy8hHaReK3R4YHeIqA=')))
    assert(isRight(check('unKndPIcGGML+6nY0uWoq7LuoOme7rmJSVUmZPEcfvc=', 'b=2&a=1')))
  })

  test('may send several signatures: one that fits will do', () => {
    assert(isRight(check('AAAA, xb7Qw+hin+Gvb9HiKHEwT7VIEPC4Q/K8C69MEusyO0I=,')))
    assert(!isRight(check('AAAA,BBBB')))
  })

  test('without nonce, with another one, or without a signature is refused', () => {
    const signature = 'xb7Qw+hin+Gvb9HiKHEwT7VIEPC4Q/K8C69MEusyO0I='
    assert(!isRight(check(signature, '', '')))
    assert(!isRight(check(signature, '', 'nonce-0002')))
    assert(!isRight(check(signature, '', 'n'.repeat(10_000))))
    assert(!isRight(check('')))
    assert(!isRight(check(signature, '', 'nonce-0001', [])))
  })
})

describe('Telnyx', () => {
  const check = (given: string | undefined, tokens: readonly string[]) =>
    checkTelnyxToken(headersOf({ 'x-telnyx-streaming-auth-token': given }), tokens)

  test('brings its token in a header of its own, either of two', () => {
    assert(isRight(check('t1', ['t0', 't1'])))
  })

  test('without it, with another one, or with one of endless length is refused', () => {
    for (const given of [undefined, '', 't', 't11', 'x'.repeat(100_000)])
      assert(!isRight(check(given, ['t1'])))
    assert(!isRight(check('t1', [])))
  })
})

describe('AudioHook', () => {
  const createdMs = 1_760_000_000_000
  const names =
    '"@request-target" "@authority" "audiohook-organization-id" "audiohook-session-id" "audiohook-correlation-id" "x-api-key"'
  const input = `sig1=(${names});keyid="vs-key-1";nonce="dm9pY2VzdHJlYW0tbm9uY2UtMDE";alg="hmac-sha256";created=1760000000;expires=1760000030`
  const usual = {
    'audiohook-organization-id': '11111111-1111-4111-8111-111111111111',
    'audiohook-session-id': '22222222-2222-4222-8222-222222222222',
    'audiohook-correlation-id': '33333333-3333-4333-8333-333333333333',
    'x-api-key': 'vs-key-1',
    'signature-input': input,
    signature: 'sig1=:IlNN+z5ThQLqYSy3eZ39Ey7whakXMcCcKCB++GMYs7Y=:',
  }
  const clientSecret = 'dm9pY2VzdHJlYW0tdGVzdC1zZWNyZXQtMDAwMDAwMDAx'
  interface Change {
    readonly headers?: Readonly<Record<string, string | undefined>>
    readonly target?: string
    readonly authority?: string
    readonly secret?: string
    readonly now?: number
    readonly nonces?: NonceMemory
  }
  const check = ({
    headers = {},
    target,
    authority,
    secret = clientSecret,
    now = createdMs + 5000,
    nonces,
  }: Change = {}) =>
    checkAudioHookSignature(
      {
        target: target ?? '/v1/ingest/audiohook?x=1',
        authority: authority ?? 'vs.example.test',
        headers: headersOf({ ...usual, ...headers }),
      },
      { id: 'vs-key-1', secret },
      { now, nonces: nonces ?? new NonceMemory() },
    )

  test('signs its upgrade', () => {
    assert(isRight(check()))
    assert(!isRight(check({ secret: 'AAAA' })))
    assert(!isRight(check({ headers: { 'x-api-key': undefined } })))
  })

  test('signs target, host and each of its headers: a change of any is refused', () => {
    assert(!isRight(check({ target: '/v1/ingest/audiohook' })))
    assert(!isRight(check({ authority: 'vs.example.test:8443' })))
    for (const name of Object.keys(usual)) {
      assert(!isRight(check({ headers: { [name]: undefined } })), name)
      assert(!isRight(check({ headers: { [name]: `${usual[name as 'signature']}x` } })), name)
    }
  })

  test('is right for a few seconds only', () => {
    assert(isRight(check({ now: createdMs - 4000 })))
    assert(isRight(check({ now: createdMs + 14_000 })))
    assert(!isRight(check({ now: createdMs - 6000 })))
    assert(!isRight(check({ now: createdMs + 16_000 })))
    assert(!isRight(check({ headers: { 'signature-input': input.replace('1760000030', '1760000004') } })))
  })

  test('must cover what it says, with a key, a nonce and an algorithm', () => {
    for (const [from, to] of [
      ['"x-api-key"', ''],
      ['"@request-target" ', ''],
      ['vs-key-1', 'vs-key-2'],
      ['dm9pY2VzdHJlYW0tbm9uY2UtMDE', 'short'],
      ['hmac-sha256', 'none'],
      [';created=1760000000', ''],
      [';expires=1760000030', ''],
      ['sig1=(', 'sig2=('],
      ['(', '(('],
    ] as const)
      assert(!isRight(check({ headers: { 'signature-input': input.replace(from, to) } })), from)
    assert(!isRight(check({ headers: { 'signature-input': `sig1=(${'"a" '.repeat(20_000)})` } })))
  })

  test('opens nothing twice', () => {
    const nonces = new NonceMemory()
    assert(isRight(check({ nonces })))
    const again = check({ nonces, now: createdMs + 6000 })
    assert(again.kind === 'wrong' && again.why.includes('before'))
  })
})

describe('used nonces', () => {
  test('count as long as their signature, and then make room', () => {
    const nonces = new NonceMemory(2)
    assert(nonces.use('a', 0, 10))
    assert(!nonces.use('a', 9, 19))
    assert(nonces.use('b', 9, 19))
    assert(!nonces.use('c', 9, 19), 'full: nothing is forgotten early')
    assert(nonces.use('c', 10, 20))
    assert(!nonces.use('b', 18, 28))
    assert(nonces.use('b', 20, 30))
  })
})
