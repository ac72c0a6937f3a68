/** Why there is no listening, in words that say what to do. Guards against one text for three causes. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, test } from 'node:test'
import { startService } from '../support/service.js'
import { straceUnavailable } from '../torture/strace.js'

describe('a start on an address that cannot be had says', () => {
  test('that the port is taken', async (t) => {
    const taken = createServer().listen(0, '127.0.0.1')
    t.after(() => taken.close())
    await once(taken, 'listening')
    const { port } = taken.address() as { port: number }
    await assert.rejects(
      startService(t, { settings: { PORT: port } }),
      new RegExp(`cannot listen on 127.0.0.1:${port}: another process uses the port`),
    )
  })

  test('that the address is another machine’s', async (t) => {
    const settings = { HOST: '203.0.113.1', ALLOW_UNAUTHENTICATED: 'true' }
    await assert.rejects(startService(t, { settings }), /this machine does not have that address/)
  })

  test('that a capability is needed', { skip: straceUnavailable() ?? false }, async (t) => {
    const refuse = ['-e', 'trace=bind', '-e', 'inject=bind:error=EACCES']
    const wrapper = ['strace', '-f', '-qq', '-o', '/dev/null', ...refuse]
    await assert.rejects(startService(t, { wrapper }), /CAP_NET_BIND_SERVICE/)
  })
})
