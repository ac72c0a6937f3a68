/**
 * A disk that fills up and is made larger. Guards against a process that ends, that acknowledges what it could not
 * store, that does not come back by itself, or that cannot be stopped.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { limits } from '../../src/limits.js'
import { eventually, get, getText, packet, post, startService } from '../support/service.js'
import { startRefused } from '../torture/refusal.js'
import {
  mountUnavailable,
  runFullDisk,
  runReadsOnFullDisk,
  runStopOnFullDisk,
  SmallDisk,
} from '../torture/small-disk.js'
import { smoke } from '../torture/smoke.js'
import { Stage } from '../torture/stage.js'
import { Strace, straceUnavailable } from '../torture/strace.js'

const skip = mountUnavailable() ?? false

describe('a full disk', { skip }, () => {
  test(
    'packets are refused while the disk is full, taken again once it is not, and none is lost',
    smoke((stage, seed) => runFullDisk(stage, { seed, mebibytes: 8, grownMebibytes: 64 })),
  )

  test(
    'calls and their packets can be read while the disk is full',
    smoke((stage, seed) => runReadsOnFullDisk(stage, { seed, mebibytes: 8, grownMebibytes: 64 })),
  )

  test('it is the reason why the service is not ready, and of its 503s, until there is space', async (t) => {
    const stage = Stage.of(t)
    const disk = SmallDisk.mount(stage, 4)
    const service = await stage.service({ dataDir: disk.folder })
    await post(service, '/v1/call/stream/c1', packet(0))
    assert.deepEqual((await get(service, '/health/ready')).body['reasons'], [])
    disk.fill()
    const large = 'x'.repeat(30_000)
    let refusal = await post(service, '/v1/call/stream/c1', packet(1, large))
    for (let n = 2; refusal.status === 202 && n < 2000; n++)
      refusal = await post(service, '/v1/call/stream/c1', packet(n, large))
    assert.equal(refusal.status, 503)
    assert.equal(refusal.body['type'], 'urn:voicestream:problem:disk_full')
    const ready = await get(service, '/health/ready')
    assert.deepEqual([ready.status, ready.body['reasons']], [503, ['disk_full']])
    assert.match(await getText(service, '/metrics'), /^voicestream_not_ready\{reason="disk_full"\} 1$/m)
    // It stays so while nobody sends and the disk stays full.
    await new Promise((resolve) => setTimeout(resolve, 2 * limits.fullDiskLookMs))
    assert.equal((await get(service, '/health/ready')).status, 503)
    disk.grow(16)
    await eventually(
      () => get(service, '/health/ready'),
      ({ status }) => status === 200,
    )
    assert.equal((await post(service, '/v1/call/stream/c1', packet(3000))).status, 202)
    service.kill('SIGKILL')
    await service.exited
  })

  test('a start on a full disk says that it is full, and succeeds once there is space', async (t) => {
    const stage = Stage.of(t)
    const disk = SmallDisk.mount(stage, 4)
    const first = await stage.service({ dataDir: disk.folder })
    await post(first, '/v1/call/stream/c1', packet(0))
    first.kill('SIGTERM')
    await first.exited
    disk.fill()
    const refusal = await startRefused(stage, { DATA_DIR: disk.folder })
    assert.notEqual(refusal.code, null, 'it did not end')
    assert.notEqual(refusal.code, 0)
    assert.equal(refusal.reasons.length, 1)
    assert.match(refusal.reasons[0] ?? '', /full/)
    disk.grow(16)
    const next = await stage.service({ dataDir: disk.folder })
    assert.equal((await get(next, '/v1/call/c1')).body['total_received'], 1)
    next.kill('SIGKILL')
    await next.exited
  })

  test(
    'a service whose disk is full ends within 10 s of SIGTERM, and loses nothing',
    smoke((stage, seed) => runStopOnFullDisk(stage, { seed, mebibytes: 8, grownMebibytes: 64 })),
  )
})

// Guards against a quota that is told as a failing disk: SQLite has a code of its own for ENOSPC alone.
describe('a quota that is used up', { skip: straceUnavailable() ?? false }, () => {
  test('is told as a full disk, until there is space', async (t) => {
    const stage = Stage.of(t)
    const service = await stage.service({ dataDir: stage.folder() })
    assert.equal((await post(service, '/v1/call/stream/c1', packet(0))).status, 202)
    const quota = { calls: 'pwrite64', fault: 'error=EDQUOT' }
    const strace = await Strace.attach(stage, service.child.pid as number, quota)
    const refusal = await post(service, '/v1/call/stream/c1', packet(1))
    assert.deepEqual([refusal.status, refusal.body['type']], [503, 'urn:voicestream:problem:disk_full'])
    assert.deepEqual((await get(service, '/health/ready')).body['reasons'], ['disk_full'])
    const injected = strace.injected().length
    // It stays so while nobody sends: each look is a write of its own.
    await eventually(
      async () => strace.injected().length,
      (count) => count >= injected + 2,
    )
    assert.deepEqual((await get(service, '/health/ready')).body['reasons'], ['disk_full'])
    await strace.detach()
    await eventually(
      () => get(service, '/health/ready'),
      ({ status }) => status === 200,
    )
    assert.equal((await post(service, '/v1/call/stream/c1', packet(1))).status, 202)
    assert.equal((await get(service, '/v1/call/c1')).body['total_received'], 2)
    service.kill('SIGKILL')
    await service.exited
  })
})

// Guards against a file that may not grow (`ulimit -f`, LimitFSIZE), which SQLite tells like a disk that fails: “ready”, and no cause.
test('a limit of the size of files is told as a full disk', async (t) => {
  const wrapper = ['/bin/sh', '-c', 'ulimit -f 8192; exec "$0" "$@"']
  const service = await startService(t, { wrapper })
  const large = 'x'.repeat(30_000)
  let refusal = await post(service, '/v1/call/stream/c1', packet(0, large))
  let stored = 0
  for (; refusal.status === 202 && stored < 2000; stored++)
    refusal = await post(service, '/v1/call/stream/c1', packet(stored + 1, large))
  assert(stored > 10, `${stored} packets were stored before`)
  assert.deepEqual([refusal.status, refusal.body['type']], [503, 'urn:voicestream:problem:disk_full'])
  for (const path of ['start', 'complete']) {
    const { status, body } = await post(service, `/v1/call/${path}/c1`, { total_packets: 3000 })
    assert.deepEqual([status, body['type']], [503, 'urn:voicestream:problem:disk_full'], path)
  }
  assert.deepEqual((await get(service, '/health/ready')).body['reasons'], ['disk_full'])
  assert.equal((await get(service, '/v1/call/c1')).body['total_received'], stored)
  service.kill('SIGKILL')
  await service.exited
})
