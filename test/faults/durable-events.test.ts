import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { HttpClient } from '../support/http-client.js'
import { packet, startService, temporaryFolder } from '../support/service.js'
import { SupervisorClient } from '../support/supervisor-client.js'

const delayMs = 250
const straces = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0

// Guards against an event or an answer that leaves before the fsync of its commit (V3), a duplicate's too (V4).
test('no event and no answer comes before its packet is on disk', {
  skip: straces ? false : 'needs strace and the right to trace',
}, async (t) => {
  const trace = join(temporaryFolder(t), 'trace')
  const inject = `inject=fsync,fdatasync:delay_enter=${delayMs * 1000}`
  const service = await startService(t, {
    // -D: the service stays the process that was spawned, and is ended as any other.
    wrapper: ['strace', '-D', '-f', '-qq', '-e', 'trace=fsync,fdatasync', '-e', inject, '-o', trace],
  })
  const client = new HttpClient(t, service)
  const supervisor = await SupervisorClient.connect(t, service)
  assert(existsSync(trace))
  const fsyncs = () => readFileSync(trace, 'utf8').match(/f(data)?sync\(/g)?.length ?? 0

  for (let sequence = 0; sequence < 4; sequence++) {
    const before = fsyncs()
    const sentAt = performance.now()
    // The copy is sent while the original is not on disk yet.
    const answers = await Promise.all(
      [0, 1].map(async () => {
        const { body } = await client.packet('durable', packet(sequence))
        return { status: body['status'], ms: performance.now() - sentAt }
      }),
    )
    assert.deepEqual(answers.map(({ status }) => status).sort(), ['accepted', 'duplicate'])
    await supervisor.until(() => supervisor.events.length === (sequence + 1) * 2)
    assert(fsyncs() > before, 'the fault was injected')
    for (const { ms, status } of answers) assert(ms >= delayMs, `${status} after ${ms} ms`)
    for (const { event, arrivedAt } of supervisor.events.slice(-2))
      assert(arrivedAt - sentAt >= delayMs, `${event} after ${arrivedAt - sentAt} ms`)
  }
})
