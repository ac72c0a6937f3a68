/** The driver's account: complete before the send, and honest about every way in which an answer can fail. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually } from '../support/service.js'
import { AttemptLog, readHistory } from './attempts.js'
import { LoadDriver, ordinaryLoad } from './driver.js'
import { groupBy } from './group.js'
import { randomOf } from './random.js'
import { Stage, sleep } from './stage.js'

type Reply = (response: ServerResponse, request: IncomingMessage) => void

async function fakeService(stage: Stage, reply: Reply): Promise<number> {
  const server: Server = createServer((request, response) => {
    request.resume().on('end', () => reply(response, request))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  stage.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

const accept: Reply = (response) => response.writeHead(202).end('{"status":"accepted"}')

test('an attempt is in the account before the service sees it, and its end after the answer', async (t) => {
  const stage = Stage.of(t)
  const folder = stage.folder()
  let missing = 0
  let seen = 0
  const port = await fakeService(stage, (response, request) => {
    seen++
    const call = request.url?.split('/').at(-1) ?? ''
    if (!readFileSync(join(folder, 'attempts.ndjson'), 'utf8').includes(`"${call}"`)) missing++
    accept(response, request)
  })
  const driver = new LoadDriver(folder, { ...ordinaryLoad, packetsPerCall: 1 }, randomOf(1))
  driver.start(port)
  await sleep(150)
  await driver.halt()
  const { packets } = driver.history()
  assert(seen > 0)
  assert.equal(missing, 0)
  assert.equal(packets.length, seen)
  assert(packets.every(({ sentAt, doneAt }) => doneAt !== null && doneAt >= sentAt))
})

test('every way in which an answer can end has its outcome', async (t) => {
  const replies: readonly Reply[] = [
    accept,
    (response) => response.writeHead(202).end('{"status":"duplicate"}'),
    (response) => response.writeHead(409).end('{"status":"rejected"}'),
    (response) => response.writeHead(503).end('{}'),
    (response) => response.socket?.destroy(),
    (response) => {
      response.writeHead(202, { 'content-length': 100 }).write('{"status":"accepted"')
      setTimeout(() => response.socket?.destroy(), 5)
    },
    (response) => response.writeHead(202).end('{"status":'),
  ]
  const expected = ['accepted', 'duplicate', 'refused', 'unknown', 'unknown', 'unknown', 'unknown']
  for (const [i, reply] of replies.entries()) {
    const stage = Stage.of(t)
    const port = await fakeService(stage, reply)
    const driver = new LoadDriver(stage.folder(), { ...ordinaryLoad, connections: 1 }, randomOf(1))
    driver.start(port)
    await sleep(60)
    await driver.halt()
    const { packets } = driver.history()
    assert(packets.length > 0)
    assert.deepEqual([...new Set(packets.map(({ outcome }) => outcome))], [expected[i]], `reply ${i}`)
  }
})

test('an attempt that the account does not end is unknown', (t) => {
  const path = join(Stage.of(t).folder(), 'attempts.ndjson')
  const log = new AttemptLog(path)
  log.end(log.packet('c1', 0, 'hash'), 'accepted', '202')
  log.packet('c1', 1, 'hash')
  log.completion('c1', 2)
  log.close()
  const { packets, completions } = readHistory(path)
  assert.deepEqual(
    [...packets, ...completions].map(({ outcome }) => outcome),
    ['accepted', 'unknown', 'unknown'],
  )
})

test('what is unknown is sent again with the same content until it is known', async (t) => {
  const stage = Stage.of(t)
  let refusals = 40
  const port = await fakeService(stage, (response, request) => {
    if (refusals-- > 0) response.writeHead(503).end('{}')
    else accept(response, request)
  })
  const load = { ...ordinaryLoad, connections: 4, resendShare: 0, conflictShare: 0 }
  const driver = new LoadDriver(stage.folder(), load, randomOf(1))
  driver.start(port)
  await sleep(100)
  await driver.halt()
  assert(driver.counts.unknown > 0)
  await driver.settleUnknown(port)
  for (const attempts of groupBy(
    driver.history().packets,
    ({ call, sequence }) => `${call} ${sequence}`,
  ).values()) {
    assert.equal(attempts.at(-1)?.outcome, 'accepted')
    assert.equal(new Set(attempts.map(({ contentHash }) => contentHash)).size, 1)
  }
})

test('the same seed sends the same packets', async (t) => {
  const stage = Stage.of(t)
  const port = await fakeService(stage, accept)
  const sent: string[][] = []
  for (let run = 0; run < 2; run++) {
    const driver = new LoadDriver(stage.folder(), { ...ordinaryLoad, connections: 1 }, randomOf(7))
    driver.start(port)
    await eventually(
      async () => driver.counts.accepted,
      (accepted) => accepted > 20,
    )
    await driver.halt()
    sent.push(
      driver.history().packets.map(({ call, sequence, contentHash }) => `${call} ${sequence} ${contentHash}`),
    )
  }
  const common = Math.min(...sent.map(({ length }) => length))
  assert(common > 10)
  assert.deepEqual(sent[0]?.slice(0, common), sent[1]?.slice(0, common))
})
