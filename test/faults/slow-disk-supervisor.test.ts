import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { limits } from '../../src/limits.js'
import { HttpClient } from '../support/http-client.js'
import { readMetrics } from '../support/metrics.js'
import { eventually, startService } from '../support/service.js'

const delayMs = 300
const straces = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0

const lines = (first: number, count: number) =>
  Array.from({ length: count }, (_, i) => `{"call_id":"w","sequence":${first + i},"data":"x","timestamp":1}`)

// While the disk is slow, whatever comes gathers in one commit, and all of its events come in one turn of the loop: in
// that turn no socket can be written out, so how much waits at its end says nothing about who reads.
test('a supervisor that reads is not dropped for the large commits of a slow disk', {
  skip: straces ? false : 'needs strace and the right to trace',
}, async (t) => {
  const inject = `inject=fsync,fdatasync:delay_enter=${delayMs * 1000}`
  const wrapper = [
    'strace',
    '-D',
    '-f',
    '-qq',
    '-e',
    'trace=fsync,fdatasync',
    '-e',
    inject,
    '-o',
    '/dev/null',
  ]
  const service = await startService(t, { wrapper })
  const client = new HttpClient(t, service)
  // From then on each event lists a hundred missing numbers of five digits: 0.8 KB.
  await client.bulk(lines(0, 10_000).join('\n'))

  const reader = new WebSocket(`ws://127.0.0.1:${service.port}/ws/supervisor`)
  t.after(() => reader.terminate())
  let events = 0
  let bytes = 0
  let closedWith = 0
  reader.on('message', (message: Buffer) => {
    events++
    bytes += message.length
  })
  reader.on('close', (code) => {
    closedWith = code
  })
  await once(reader, 'open')
  const count = 30_000
  const { body } = await client.bulk(lines(20_000, count).join('\n'))
  assert.equal(body['accepted'], count)
  await eventually(
    async () => events,
    () => events === count || closedWith !== 0,
  )

  const readings = await readMetrics(service)
  const commits = (name: string) => readings.get(`voicestream_commit_packets_${name}`) ?? 0
  assert(commits('count') - commits('bucket{le="1024"}') > 0, 'there was a large commit')
  assert.equal(closedWith, 0, `it was closed after ${events} events`)
  assert(bytes > 2 * limits.supervisorLagBytesMax, 'its events were more than its bound')
  assert.equal(readings.get('voicestream_supervisors_dropped_total'), 0)
})
