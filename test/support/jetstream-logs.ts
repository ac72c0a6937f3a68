/** Logs on real NATS servers, each test with a new stream: streams of the same subjects cannot stand beside each other. */
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Millis } from '../../src/clock.js'
import { Engine, EngineError } from '../../src/store/cluster/jetstream/engine.js'
import { JetStreamLog } from '../../src/store/cluster/jetstream/jetstream-log.js'
import { createStream, streamInfo } from '../../src/store/cluster/jetstream/stream.js'
import { atEnd } from './cleanup.js'
import type { NatsServers } from './nats-servers.js'
import { patience } from './patience.js'

const stream = 'VS'
const nanosPerMs = 1_000_000

export interface StreamUnderTest {
  readonly name: string
  /** A connection of the test's own. */
  readonly engine: Engine
  /** Of another node each time; closed when the test is over. */
  open(options?: { readonly servers?: readonly string[] }): Promise<JetStreamLog>
}

export interface StreamOptions {
  readonly bytesMax?: number
  /** Ids are known for so long, where a test cannot wait for what the log needs. */
  readonly duplicateMs?: Millis
}

export async function newStream(
  t: TestContext,
  servers: NatsServers,
  { bytesMax = 256 * 1024 * 1024, duplicateMs }: StreamOptions = {},
): Promise<StreamUnderTest> {
  const engine = await Engine.connect({ servers: servers.urls, name: 'test' })
  atEnd(t, () => engine.close())
  await createOnceOnline(engine, bytesMax)
  atEnd(t, () => engine.api(`STREAM.DELETE.${stream}`))
  if (duplicateMs !== undefined) {
    const { config } = await streamInfo(engine, stream)
    await engine.api(`STREAM.UPDATE.${stream}`, { ...config, duplicate_window: duplicateMs * nanosPerMs })
  }
  return {
    name: stream,
    engine,
    open: async (options = {}) => {
      const log = await JetStreamLog.open({
        engine: { servers: options.servers ?? servers.urls, name: 'test-node' },
        stream,
        onFailed: (error) => {
          throw error
        },
      })
      atEnd(t, () => log.close())
      return log
    },
  }
}

/** What the engine says while one of the servers of the test before is not back yet. */
const noPeersCode = 10_005

async function createOnceOnline(engine: Engine, bytesMax: number): Promise<void> {
  const until = performance.now() + patience(30_000)
  for (;;)
    try {
      return await createStream(engine, { name: stream, base: 'of-a-test', bytesMax })
    } catch (error) {
      const isPassing = error instanceof EngineError && error.code === noPeersCode
      if (!isPassing || performance.now() > until) throw error
      await delay(100)
    }
}
