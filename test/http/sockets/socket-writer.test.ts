import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { SupervisorStream } from '../../../src/feed/supervisor-stream.js'
import { inFlightBytesMax, SocketWriter } from '../../../src/http/sockets/socket-writer.js'
import { limits } from '../../../src/limits.js'

/** A socket whose buffer a test fills and empties. */
class FakeSocket {
  readonly sent: string[] = []
  buffered = 0
  outcome = 1

  send(text: string): number {
    this.sent.push(text)
    this.buffered += text.length
    return this.outcome
  }

  cork(write: () => void): void {
    write()
  }

  getBufferedAmount(): number {
    return this.buffered
  }
}

class FakeStream implements SupervisorStream {
  readonly texts: string[] = []
  isEvicted = false
  lag = 0
  skipped = 0

  next(): string | null {
    return this.texts.shift() ?? null
  }

  get hasMore(): boolean {
    return this.texts.length > 0
  }

  get lagBytes(): number {
    return this.lag
  }

  skip(): void {
    this.skipped++
  }

  heartbeat(): string {
    return 'beat'
  }
}

function writerOf(t: TestContext) {
  const clock = { now: 0 }
  t.mock.method(performance, 'now', () => clock.now)
  const socket = new FakeSocket()
  const stream = new FakeStream()
  let ended = 0
  const writer = new SocketWriter(socket, stream, () => ended++)
  return { clock, socket, stream, writer, ended: () => ended }
}

const kilobyte = 'x'.repeat(1024)

describe('the writer of a socket', () => {
  test('writes what there is while the socket takes it, and the rest when it is drained', (t) => {
    const { socket, stream, writer } = writerOf(t)
    stream.texts.push(...Array.from({ length: 100 }, () => kilobyte))
    writer.pump()
    assert.equal(socket.sent.length, inFlightBytesMax / 1024)
    writer.pump()
    assert.equal(socket.sent.length, inFlightBytesMax / 1024)
    assert(stream.skipped > 0)
    socket.buffered = 0
    writer.pump()
    assert.equal(socket.sent.length, 100)
  })

  test('makes room for others after a bounded number of messages', (t) => {
    const { socket, stream, writer } = writerOf(t)
    stream.texts.push(...Array.from({ length: limits.supervisorMessagesPerTurn + 5 }, () => 'x'))
    assert.equal(writer.pump(), true)
    assert.equal(socket.sent.length, limits.supervisorMessagesPerTurn)
    assert.equal(writer.pump(), false)
  })

  test('ends a socket that takes nothing while its lag grows over the bound for too long', (t) => {
    const { clock, socket, stream, writer, ended } = writerOf(t)
    socket.buffered = inFlightBytesMax
    stream.texts.push('x')
    stream.lag = 100
    writer.pump()
    stream.lag = 100 + limits.supervisorLagBytesMax + 1
    writer.look()
    clock.now += limits.supervisorLagMsMax
    writer.look()
    assert.equal(ended(), 0, 'it has a moment')
    clock.now += 1
    writer.look()
    assert.equal(ended(), 1)
    socket.buffered = 0
    assert.equal(writer.pump(), false)
    writer.look()
    assert.deepEqual([socket.sent.length, ended()], [0, 1], 'once, and nothing is written afterwards')
  })

  test('bears with one that resumes from far behind, as long as it does not fall further', (t) => {
    const { clock, socket, stream, writer, ended } = writerOf(t)
    socket.buffered = inFlightBytesMax
    stream.texts.push('x')
    stream.lag = 10 * limits.supervisorLagBytesMax
    writer.pump()
    for (let second = 0; second < 60; second++) {
      clock.now += 1000
      writer.look()
    }
    assert.equal(ended(), 0)
    stream.lag += limits.supervisorLagBytesMax + 1
    for (let second = 0; second < 4; second++) {
      clock.now += 1000
      writer.look()
    }
    assert.equal(ended(), 1)
  })

  test('bears with one that falls behind because it is not written to', (t) => {
    const { clock, stream, writer, ended } = writerOf(t)
    stream.lag = 10 * limits.supervisorLagBytesMax
    for (let second = 0; second < 10; second++) {
      clock.now += 1000
      writer.look()
    }
    assert.equal(ended(), 0)
  })

  // Guards against a hole that nobody sees: uWebSockets.js drops messages past its bound and leaves the socket open.
  test('ends a socket that drops a message, and one whose place is lost', (t) => {
    const dropping = writerOf(t)
    dropping.socket.outcome = 2
    dropping.stream.texts.push('x', 'y')
    dropping.writer.pump()
    assert.deepEqual([dropping.ended(), dropping.socket.sent.length], [1, 1])

    const evicted = writerOf(t)
    evicted.stream.texts.push('x')
    evicted.stream.isEvicted = true
    evicted.writer.pump()
    assert.deepEqual([evicted.ended(), evicted.socket.sent.length], [1, 0])
  })

  test('is heard of when there was nothing to say for a while, and only then', (t) => {
    const { clock, socket, stream, writer } = writerOf(t)
    clock.now += limits.supervisorHeartbeatMs - 1
    writer.look()
    assert.deepEqual(socket.sent, [])
    clock.now += 1
    writer.look()
    assert.deepEqual(socket.sent, ['beat'])
    clock.now += limits.supervisorHeartbeatMs - 1
    stream.texts.push('x')
    writer.pump()
    clock.now += 1
    writer.look()
    assert.deepEqual(socket.sent, ['beat', 'x'])
  })
})
