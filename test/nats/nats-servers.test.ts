/** Guards against tests of the shared log that run on something else than they say: servers that are alone, or that answer before their fsync. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeWithNats, monitored, NatsServers } from '../support/nats-servers.js'

describeWithNats('the three NATS servers of the tests', () => {
  test('are one cluster, sync each message, and elect another leader when theirs is killed', async (t) => {
    const servers = await NatsServers.start(t)
    for (const server of servers.all) {
      const { config } = await monitored(server, 'jsz')
      assert.equal(config?.sync_always, true, `${server.name} does not sync each message`)
    }
    const first = await servers.leader()
    await first.kill()
    const second = await servers.leader()
    assert.notEqual(second.name, first.name)
    first.start()
    await first.untilReady()
  })
})
