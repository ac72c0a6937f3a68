/**
 * An erased call leaves the files (P23). Guards against what SQLite keeps: rows in free pages, in the gaps of rebuilt
 * pages and in the write-ahead log; packets in the journal rows of other calls; an erasure that a crash forgets.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { found } from '../support/data-files.js'
import { eventually, get, packet, post, type Service, startService } from '../support/service.js'

const erasedWithinMs = 60_000
const fillers = 150
const settings = { GRACE_PERIOD_MS: 100, AI_CONCURRENCY: 1000 }

/** Its own text in each packet of a call, so that every copy of it is found. */
const canary = (callId: string) => `what-was-said-in-${callId}.`
const data = (callId: string) => canary(callId).repeat(20)

async function send(
  service: Service,
  lines: readonly { call_id: string; sequence: number }[],
): Promise<void> {
  const body = lines
    .map(({ call_id, sequence }) => JSON.stringify({ call_id, ...packet(sequence, data(call_id)) }))
    .join('\n')
  const headers = { 'content-type': 'application/x-ndjson' }
  const answer = await fetch(`${service.url}/v1/packets`, { method: 'POST', headers, body })
  assert.equal(answer.status, 202)
}

const remove = async (service: Service, callId: string) => {
  const answer = await fetch(`${service.url}/v1/call/${callId}`, { method: 'DELETE' })
  return answer.status
}

/** Their packets lie in runs and in the tail, some late, some twice; the victims are in different states. */
const victims = ['victim.archived', 'victim.live', 'victim.completed'] as const

async function tellStories(service: Service): Promise<void> {
  const ids = [...victims, ...[...Array(fillers)].map((_, i) => `filler-${i}`)]
  const order = [0, 1, 3, 2, 2, 7]
  for (const first of [0, 40, 80, 120]) {
    const lines: { call_id: string; sequence: number }[] = []
    for (let i = 0; i < 30; i++)
      for (const call_id of ids) lines.push({ call_id, sequence: first + (order[i] ?? i + 8) })
    for (let at = 0; at < lines.length; at += 1000) await send(service, lines.slice(at, at + 1000))
  }
  const completed = ids.filter((id) => id !== 'victim.live')
  for (const id of completed) await post(service, `/v1/call/complete/${id}`, { total_packets: 200 })
  await eventually(
    () => get(service, '/v1/calls?state=ARCHIVED&limit=200'),
    ({ body }) => (body['calls'] as unknown[]).length === completed.length,
    30_000,
  )
}

/** The service is busy with other calls until the test is over. */
function load(t: TestContext, service: Service): void {
  let isOver = false
  const loop = async () => {
    for (let sequence = 0; !isOver; sequence++) {
      const lines = [...Array(20)].map((_, i) => ({ call_id: `load-${i}`, sequence }))
      await send(service, lines).catch(() => {
        isOver = true
      })
    }
  }
  const running = loop()
  t.after(async () => {
    isOver = true
    await running
  })
}

const marks = [...victims, ...victims.map(canary)]
const others = [canary('filler-7'), 'filler-7']

async function untilGone(t: TestContext, service: Service, since: number): Promise<void> {
  await eventually(
    async () => found(service.dataDir, marks),
    (left) => left.length === 0,
    erasedWithinMs - (performance.now() - since),
  )
  t.diagnostic(`gone after ${Math.round(performance.now() - since)} ms`)
  const kept = found(service.dataDir, others)
  for (const text of others)
    assert(
      kept.some((where) => where.startsWith(text)),
      `${text} stays`,
    )
}

test('an erased call is gone from every file within a minute, under load, and others stay', async (t) => {
  const service = await startService(t, { settings })
  await tellStories(service)
  load(t, service)
  const before = found(service.dataDir, marks)
  for (const mark of marks)
    assert(
      before.some((where) => where.startsWith(mark)),
      `${mark} was there`,
    )
  const since = performance.now()
  for (const victim of victims) assert.equal(await remove(service, victim), 204)
  for (const victim of victims) assert.equal(await remove(service, victim), 404)
  await untilGone(t, service, since)
  assert.equal((await get(service, '/v1/call/filler-7/packets?limit=1000')).status, 200)
})

test('an erasure that was answered outlives kill -9, and is finished by the next start', async (t) => {
  const service = await startService(t, { settings })
  await tellStories(service)
  const since = performance.now()
  for (const victim of victims) assert.equal(await remove(service, victim), 204)
  service.kill('SIGKILL')
  await service.exited
  assert.notDeepEqual(found(service.dataDir, marks), [], 'the kill came before the bytes were gone')
  const next = await startService(t, { dataDir: service.dataDir, settings })
  for (const victim of victims) assert.equal((await get(next, `/v1/call/${victim}`)).status, 404)
  await untilGone(t, next, since)
  // What is cut and cleared away must not look like a loss.
  next.kill('SIGKILL')
  await next.exited
  const last = await startService(t, { dataDir: service.dataDir, settings })
  const { body } = await get(last, '/v1/call/filler-7')
  assert.equal(body['state'], 'ARCHIVED')
})
