/** Whose word counts for where a request came from. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ConfigError } from '../../../src/config/config.js'
import type { Exchange } from '../../../src/http/exchange.js'
import { addressKey, ClientAddresses, canonicalAddress } from '../../../src/http/gate/client-addresses.js'
import { bearer, credentialSettings } from '../../support/credentials.js'
import { HttpClient } from '../../support/http-client.js'
import { eventually, startService } from '../../support/service.js'

const from = (remoteAddress: string, forwardedFor: string | null) =>
  ({ remoteAddress, head: { forwardedFor } }) as unknown as Exchange

// Guards against a page behind TLS whose own origin is refused, and against a client that says what its proxy should.
test('the scheme of a page is what a trusted proxy says last, and nobody else', () => {
  const proxies = new ClientAddresses('10.0.0.0/8')
  const scheme = (remoteAddress: string, forwardedProto: string | null) =>
    proxies.schemeOf({ remoteAddress, head: { forwardedFor: null, forwardedProto } })
  for (const said of ['https', 'HTTPS', ' https ', 'http, https', 'http,https'])
    assert.equal(scheme('10.0.0.1', said), 'https', said)
  assert.equal(scheme('10.0.0.1', 'https, http'), 'http')
  for (const said of [null, '', 'https,', 'wss', 'https://', 'https;'])
    assert.equal(scheme('10.0.0.1', said), null, `${said}`)
  assert.equal(scheme('192.0.2.1', 'https'), null)
  const nobody = new ClientAddresses('')
  const head = { forwardedFor: null, forwardedProto: 'https' }
  assert.equal(nobody.schemeOf({ remoteAddress: '10.0.0.1', head }), null)
})

describe('the address of a client', () => {
  test('is the other end of the connection, whatever it says, unless that is a trusted proxy', () => {
    const nobody = new ClientAddresses('')
    assert.equal(nobody.of(from('10.0.0.1', '6.6.6.6')), '10.0.0.1')
    const proxies = new ClientAddresses('10.0.0.0/8, 2001:db8::1')
    assert.equal(proxies.of(from('192.0.2.1', '6.6.6.6')), '192.0.2.1')
    assert.equal(proxies.of(from('10.0.0.1', null)), '10.0.0.1')
    assert.equal(proxies.of(from('10.0.0.1', '192.0.2.7')), '192.0.2.7')
    assert.equal(proxies.of(from('2001:db8::1', '192.0.2.7')), '192.0.2.7')
  })

  test('is the last one that no trusted proxy has, for what stands before it is the client’s own word', () => {
    const proxies = new ClientAddresses('10.0.0.0/8')
    assert.equal(proxies.of(from('10.0.0.1', '6.6.6.6, 192.0.2.7')), '192.0.2.7')
    assert.equal(proxies.of(from('10.0.0.1', '6.6.6.6, 192.0.2.7 ,10.3.2.1')), '192.0.2.7')
    assert.equal(proxies.of(from('10.0.0.1', '10.0.0.9')), '10.0.0.9')
    for (const nonsense of ['', 'unknown', '192.0.2.7:x', '[192.0.2.7', '6.6.6.6, <script>', ','])
      assert.equal(proxies.of(from('10.0.0.1', nonsense)), '10.0.0.1', nonsense)
    assert.equal(proxies.of(from('10.0.0.1', '::ffff:192.0.2.7')), '192.0.2.7')
    // Guards against one address for all clients of a proxy that writes their ports (Application Gateway, ALB).
    assert.equal(proxies.of(from('10.0.0.1', '6.6.6.6:1, 192.0.2.7:4711')), '192.0.2.7')
    assert.equal(proxies.of(from('10.0.0.1', '192.0.2.7:4711, 10.3.2.1:80')), '192.0.2.7')
    assert.equal(proxies.of(from('10.0.0.1', '[2001:db8::1]:443')), '2001:db8::1')
    assert.equal(proxies.of(from('10.0.0.1', '[2001:db8::1]')), '2001:db8::1')
  })

  test('has one text, and of IPv6 a /64 counts as one', () => {
    assert.equal(canonicalAddress('0000:0000:0000:0000:0000:ffff:7f00:0001'), '127.0.0.1')
    assert.equal(canonicalAddress('2001:0db8:0000:0000:0000:0000:0000:0001'), '2001:db8::1')
    assert.equal(addressKey('192.0.2.7'), '192.0.2.7')
    assert.equal(addressKey('2001:db8:1:2::9'), addressKey('2001:db8:1:2:aaaa::1'))
    assert.notEqual(addressKey('2001:db8:1:2::9'), addressKey('2001:db8:1:3::9'))
    assert.equal(addressKey('::1'), '0:0:0:0::/64')
  })

  test('is of proxies that are addresses or networks', () => {
    for (const bad of [
      '10.0.0.0/33',
      'proxy',
      '10.0.0.0/',
      '10.0.0.0/8/8',
      '10.0.0.1,',
      '10.0.0.0/-1',
      '::/129',
    ])
      assert.throws(() => new ClientAddresses(bad), ConfigError, bad)
  })

  test('is what limits and the log go by', async (t) => {
    const settings = { ...credentialSettings, TRUSTED_PROXIES: '127.0.0.1', AUTH_FAILURES_PER_MIN: 1 }
    const service = await startService(t, { settings })
    const client = new HttpClient(t, service, 1)
    const guess = async (address: string) =>
      (
        await client.send('GET', '/v1/calls', {
          ...bearer('guess-0000000000000'),
          'x-forwarded-for': address,
        })
      ).status
    assert.deepEqual(
      [await guess('192.0.2.1'), await guess('192.0.2.1'), await guess('192.0.2.2')],
      [401, 429, 401],
    )
    const lines = await eventually(
      async () => service.log.filter(({ msg }) => msg === 'refused'),
      (all) => all.length === 3,
    )
    assert.deepEqual(
      lines.map(({ address }) => address),
      ['192.0.2.1', '192.0.2.1', '192.0.2.2'],
    )
  })
})
