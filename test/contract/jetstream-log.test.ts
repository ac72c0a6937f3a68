/** The log on three real NATS servers keeps the contract. */
import { newStream } from '../support/jetstream-logs.js'
import { describeWithNats, suiteNatsServers } from '../support/nats-servers.js'
import { logContract } from './log-contract.js'

describeWithNats('over three NATS servers', () => {
  const servers = suiteNatsServers()

  logContract('the log on JetStream', async (t) => {
    const stream = await newStream(t, servers())
    return { log: await stream.open(), other: await stream.open() }
  })
})
