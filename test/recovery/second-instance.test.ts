/**
 * A second instance: on the same data folder it would corrupt what the first one believes, on the same port it would
 * take half of its connections. Guards against a lock that is not held and a port that is shared (SO_REUSEPORT).
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { test } from 'node:test'
import { packet, post, type Service } from '../support/service.js'
import { startRefused } from '../torture/refusal.js'
import { killHard, Stage } from '../torture/stage.js'
import { assertRefused } from './assert-refused.js'

/**
 * 2 s (P14), on a machine that starts the first instance in half of that: both do the same until the second finds what
 * is taken, so where a start takes longer the machine is busy.
 */
function refusalMsMax({ log }: Service): number {
  const timeOf = (line: Record<string, unknown> | undefined) => Date.parse(String(line?.['time']))
  const startMs = timeOf(log.find(({ msg }) => msg === 'listening')) - timeOf(log[0])
  assert(startMs > 0)
  return Math.max(2000, 2 * startMs)
}

/** By number: a port that the kernel chose for a listener is never shared, and would show nothing. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

test('a second instance on the same data folder ends and leaves the first one alone', async (t) => {
  const stage = Stage.of(t)
  const dataDir = stage.folder()
  const first = await stage.service({ dataDir })
  await post(first, '/v1/call/stream/c1', packet(0))
  assertRefused(await startRefused(stage, { DATA_DIR: dataDir }), /another instance/, refusalMsMax(first))
  const { status, body } = await post(first, '/v1/call/stream/c1', packet(1))
  assert.equal(status, 202)
  assert.equal(body['total_received'], 2)
  // The lock goes with the process that held it.
  await killHard(first)
  const next = await stage.service({ dataDir })
  assert.equal((await post(next, '/v1/call/stream/c1', packet(0))).body['status'], 'duplicate')
})

test('a second instance on the same port ends and takes no connection from the first one', async (t) => {
  const stage = Stage.of(t)
  const first = await stage.service({ dataDir: stage.folder(), settings: { PORT: await freePort() } })
  const refused = startRefused(stage, { DATA_DIR: stage.folder(), PORT: first.port })
  // Each request is a new connection: while the second one tries, all must reach the first.
  let requests = 0
  let isOver = false
  const received: unknown[] = []
  const ending = refused.finally(() => {
    isOver = true
  })
  while (!isOver || requests < 50) {
    const { status, body } = await post(first, '/v1/call/stream/c1', packet(requests))
    assert.equal(status, 202)
    received.push(body['total_received'])
    requests++
  }
  assertRefused(await ending, /cannot listen/, refusalMsMax(first))
  assert.deepEqual(
    received,
    Array.from({ length: requests }, (_, i) => i + 1),
    'every packet reached the same process',
  )
})
