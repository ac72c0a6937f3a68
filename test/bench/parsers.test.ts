import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AnswerReader } from '../../bench/load/connection.js'
import { type CallSet, callIdOf, firstSequence, warmLines } from '../../bench/load/packets.js'
import { clientFrame, FrameCounter } from '../../bench/load/websocket-frames.js'
import { parseWrk } from '../../bench/load/wrk.js'
import { unfitFolder } from '../../bench/measure/environment.js'
import { bucketQuantile, histogramBetween, parseMetrics } from '../../bench/measure/metrics-text.js'
import { fileSystemOf } from '../../bench/measure/proc.js'
import { readOptions, UsageError } from '../../bench/options.js'

const scrape = (counts: readonly number[], sum: number) =>
  parseMetrics(
    `# HELP s Time.\ns_bucket{le="1"} ${counts[0]}\ns_bucket{le="2"} ${counts[1]}\ns_bucket{le="+Inf"} ${counts[2]}\ns_sum ${sum}\ns_count ${counts[2]}\n`,
  )

test('a histogram between two looks holds only what came between them', () => {
  const found = histogramBetween(scrape([5, 5, 5], 1), scrape([5, 15, 25], 31), 's')
  assert.deepEqual(
    found.buckets.map(({ count }) => count),
    [0, 10, 10],
  )
  assert.deepEqual([found.count, found.sum], [20, 30])
  assert.equal(bucketQuantile(found, 0.25), 1.5)
  assert.equal(bucketQuantile(found, 0.99), 2)
})

test('a label names one series of a histogram', () => {
  const series = (name: string, counts: readonly number[]) =>
    `s_bucket{le="1",kind="${name}"} ${counts[0]}\ns_bucket{le="+Inf",kind="${name}"} ${counts[1]}\ns_sum{kind="${name}"} 4\ns_count{kind="${name}"} ${counts[1]}\n`
  const after = parseMetrics(series('a', [7, 8]) + series('b', [1, 3]))
  const found = histogramBetween(new Map(), after, 's', 'kind="b"')
  assert.deepEqual(found, {
    count: 3,
    sum: 4,
    buckets: [
      { most: 1, count: 1 },
      { most: Number.POSITIVE_INFINITY, count: 2 },
    ],
  })
})

test('what wrk did is read from the line that its script writes', () => {
  const found = parseWrk(
    'Running 2s test\n{"requests":300,"micros":2000000,"errors":1,"curve":[[0.5,2],[0.99,9],[1,12]]}\n',
  )
  assert.deepEqual(
    [found.requests, found.rate, found.p50, found.p99, found.max, found.errors],
    [300, 150, 2, 9, 12, 1],
  )
  assert.throws(() => parseWrk('unable to connect'))
})

test('an answer is whole when all of its body is here, however it is cut', () => {
  const text =
    'HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"status":1}\n'
  for (let cut = 1; cut < text.length; cut++) {
    const reader = new AnswerReader()
    assert.equal(reader.take(text.slice(0, cut)), null)
    assert.deepEqual(reader.take(text.slice(cut)), { status: 202, text })
  }
})

function serverFrame(opcode: number, payload: Buffer): Buffer {
  const head =
    payload.length < 126
      ? Buffer.from([0x80 | opcode, payload.length])
      : Buffer.from([0x80 | opcode, 126, payload.length >> 8, payload.length & 0xff])
  return Buffer.concat([head, payload])
}

test('frames are counted however they are cut, pings are told and a close gives its code', () => {
  const stream = Buffer.concat([
    serverFrame(1, Buffer.alloc(10, 'a')),
    serverFrame(9, Buffer.from('hi')),
    serverFrame(1, Buffer.alloc(300, 'b')),
    serverFrame(1, Buffer.alloc(0)),
    serverFrame(8, Buffer.from([0x0f, 0xa8])),
  ])
  for (const size of [1, 2, 3, 7, stream.length]) {
    const told: string[] = []
    const counter = new FrameCounter({
      ping: (payload) => told.push(payload.toString()),
      closed: (code) => told.push(String(code)),
    })
    for (let at = 0; at < stream.length; at += size) counter.push(stream.subarray(at, at + size))
    assert.deepEqual([counter.messages, told], [3, ['hi', '4008']])
  }
  assert.deepEqual([...clientFrame(10, Buffer.from('hi'))], [0x8a, 0x82, 0, 0, 0, 0, 0x68, 0x69])
})

test('the warm-up ends where each call goes on, whatever the lanes', () => {
  const set: CallSet = { prefix: 'w', calls: 10, warmPackets: 4 }
  const lines = [0, 1, 2].flatMap((lane) => [...warmLines(set, lane, 3)].map((line) => JSON.parse(line)))
  for (let call = 0; call < set.calls; call++) {
    const sequences = lines
      .filter(({ call_id }) => call_id === callIdOf(set, call))
      .map(({ sequence }) => sequence)
    assert.deepEqual(
      sequences,
      Array.from({ length: firstSequence(set, call) }, (_, index) => index),
    )
  }
})

test('a folder in memory is refused', () => {
  const mounts = '/dev/vda / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/vdb /tmp/disk xfs rw 0 0\n'
  assert.equal(fileSystemOf('/var/lib', mounts), 'ext4')
  assert.equal(fileSystemOf('/tmpfile', mounts), 'ext4')
  assert.equal(unfitFolder('/tmp/disk/a', mounts), null)
  assert.match(unfitFolder('/tmp/a', mounts) ?? '', /tmpfs/)
})

test('options are checked, and name what is wrong', () => {
  assert.equal(readOptions([], ['gate']).isQuick, true)
  assert.equal(readOptions(['--only', 'gate'], ['gate']).isQuick, false)
  assert.deepEqual(readOptions(['--only', 'gate', '--seconds', '2'], ['gate']).only, ['gate'])
  for (const args of [
    ['--only', 'none'],
    ['--rounds', '0'],
    ['--rounds', 'x'],
    ['--nonsense'],
    ['--quick', '--full'],
  ])
    assert.throws(() => readOptions(args, ['gate']), UsageError)
})
