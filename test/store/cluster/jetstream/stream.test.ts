/**
 * Guards against a stream that is not what the log needs: one that drops messages by itself, keeps them on one server only, or
 * that somebody may change. What the engine does not know it ignores silently, so the answer is read back.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  createStream,
  faultsOf,
  markOf,
  streamInfo,
  trimStream,
} from '../../../../src/store/cluster/jetstream/stream.js'
import { newStream } from '../../../support/jetstream-logs.js'
import { describeWithNats, suiteNatsServers } from '../../../support/nats-servers.js'

describeWithNats('the stream of the log', () => {
  const servers = suiteNatsServers()

  test('is as it was asked for, and every change of it is a fault', async (t) => {
    const { engine, name } = await newStream(t, servers())
    const info = await streamInfo(engine, name)
    assert.deepEqual(faultsOf(name, info.config), [])
    assert.deepEqual(markOf(info), { base: 'of-a-test', format: '1' })
    const changes = {
      num_replicas: 1,
      storage: 'memory',
      retention: 'workqueue',
      discard: 'old',
      max_age: 3_600_000_000_000,
      max_msgs: 1000,
      max_msgs_per_subject: 1,
      max_msg_size: 1024,
      max_bytes: -1,
      duplicate_window: 1_000_000_000,
      subjects: ['vs.log.*', 'more'],
      deny_delete: undefined,
      deny_purge: true,
      allow_rollup_hdrs: true,
      allow_msg_ttl: true,
      no_ack: true,
      sealed: true,
      compression: 's2',
      persist_mode: 'async',
      mirror: { name: 'other' },
      republish: { src: '>', dest: 'x.>' },
      first_seq: 7,
    }
    for (const [key, value] of Object.entries(changes)) {
      const [fault = '', ...more] = faultsOf(name, { ...info.config, [key]: value })
      assert(fault.startsWith(key) && more.length === 0, `${key}: ${fault}`)
    }
  })

  test('cannot be made where there is one', async (t) => {
    const { engine, name } = await newStream(t, servers())
    await assert.rejects(createStream(engine, { name, base: 'another', bytesMax: 1024 }), {
      name: 'EngineError',
    })
    await assert.rejects(createStream(engine, { name: 'VS2', base: 'another', bytesMax: 1024 }), {
      message: /subjects overlap/,
    })
  })

  test('keeps its sequences dense where it is trimmed beyond its end', async (t) => {
    const { engine, name, open } = await newStream(t, servers())
    const log = await open()
    const append = (expected: number, id: string) =>
      new Promise((settled) =>
        log.append({ subject: 'vs.log.a', expected, id, body: new Uint8Array(1) }, settled),
      )
    assert.deepEqual(await append(0, 'a1'), { kind: 'stored', at: 1 })
    await log.trim(100)
    await trimStream(engine, name, 100)
    assert.deepEqual(await append(0, 'a2'), { kind: 'stored', at: 2 })
  })
})
