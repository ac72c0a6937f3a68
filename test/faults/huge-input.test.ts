import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HttpClient } from '../support/http-client.js'
import { residentBytes } from '../support/metrics.js'
import { RawConnection, rawRequest } from '../support/raw-connection.js'
import { packet } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'
import { assertUndisturbed } from '../support/yardstick.js'

const mib = 1024 * 1024

async function timed<T>(run: () => Promise<T>): Promise<{ result: T; ms: number }> {
  const startedAt = performance.now()
  const result = await run()
  return { result, ms: performance.now() - startedAt }
}

describe('a request with something huge in it', () => {
  const service = suiteService()

  // Guards against C4: sequence 5,000,000 took 1.4 s, held the loop for 1.2 s, and peak memory rose by 370 MB.
  test('a huge sequence costs no noticeable time or memory', async (t) => {
    const client = new HttpClient(t, service())
    for (let i = 0; i < 200; i++) await client.packet(`warm-${i}`, packet(i))
    const before = await residentBytes(service())
    assert(before > 10 * mib, 'the metric is there')
    const small: number[] = []
    const huge: number[] = []
    for (let i = 0; i < 1000; i++) {
      small.push((await timed(() => client.packet(`small-${i}`, packet(0)))).ms)
      const { result, ms } = await timed(() => client.packet(`huge-${i}`, packet(2 ** 31 - 1 - i)))
      assert.equal(result.status, 202)
      assert.equal(result.body['missing_count'], 2 ** 31 - 1 - i)
      huge.push(ms)
    }
    const grown = (await residentBytes(service())) - before
    t.diagnostic(`grown by ${(grown / mib).toFixed(1)} MiB`)
    assertUndisturbed(t, 'a packet with a huge sequence', huge, small)
    assert(grown < 64 * mib, `1,000 calls with a huge sequence took ${grown} bytes`)
  })

  test('sequences spread over the whole range keep receipts and memory small', async (t) => {
    const client = new HttpClient(t, service())
    const before = await residentBytes(service())
    const count = 2000
    const stride = Math.floor(2 ** 31 / count)
    let largest = 0
    for (let i = count - 1; i >= 0; i--) {
      const { body, text } = await client.packet('sparse', packet(i * stride))
      assert.equal(body['status'], 'accepted')
      largest = Math.max(largest, text.length)
    }
    const { body, text } = await client.call('sparse')
    assert.equal(body['missing_count'], (count - 1) * stride + 1 - count)
    assert.equal((body['missing_ranges'] as unknown[]).length, 100)
    assert(Math.max(largest, text.length) < 16 * 1024, 'receipts and views stay under 16 KiB')
    const grown = (await residentBytes(service())) - before
    assert(grown < 32 * mib, `it took ${grown} bytes`)
  })

  // Guards against C5: 50,000,000 characters of data were taken and stored.
  test('a body of 50 MB is refused before it is here', async (t) => {
    const before = await residentBytes(service())
    const connection = await RawConnection.open(service())
    t.after(() => connection.socket.destroy())
    connection.write(
      rawRequest({
        path: '/v1/call/stream/fifty',
        lines: ['Content-Length: 50000000'],
        body: '{"sequence":0,"timestamp":1,"data":"',
      }),
    )
    // No more of it is ever sent: the answer does not wait for the rest.
    const answers = await connection.answered(1)
    assert.equal(answers[0]?.status, 413)
    assert.equal(answers[0].headers.get('connection'), 'close')
    await connection.closed()
    const grown = (await residentBytes(service())) - before
    assert(grown < 16 * mib, `it took ${grown} bytes`)
    assert.equal((await new HttpClient(t, service()).call('fifty')).status, 404)
  })

  // The size is not known beforehand: what came must be counted, and not kept.
  test('a chunked body without end is refused at the bound, and what still comes is not kept', async (t) => {
    const before = await residentBytes(service())
    const connection = await RawConnection.open(service())
    t.after(() => connection.socket.destroy())
    connection.write(rawRequest({ path: '/v1/call/stream/endless', lines: ['Transfer-Encoding: chunked'] }))
    const chunk = `2000\r\n${'a'.repeat(0x2000)}\r\n`
    let sent = 0
    let sentAtAnswer = 0
    while (!connection.isClosed && sent < 40 * mib) {
      await new Promise((resolve) => connection.socket.write(chunk, resolve))
      // A write that the kernel takes at once ends within this turn of the loop; the answer needs another one.
      await new Promise((resolve) => setImmediate(resolve))
      sent += chunk.length
      if (sentAtAnswer === 0 && connection.answers.length > 0) sentAtAnswer = sent
    }
    // Who goes on sending may find the connection closed before the answer.
    for (const { status } of connection.answers) assert.equal(status, 413)
    assert(connection.isClosed || sentAtAnswer > 0, 'it was refused')
    assert(sent > 64 * 1024)
    assert(sentAtAnswer < 20 * mib, `the answer came after ${sentAtAnswer} bytes`)
    assert((await residentBytes(service())) - before < 24 * mib)
    assert.equal((await new HttpClient(t, service()).call('endless')).status, 404)
  })

  test('a call id of 3,000 or 20,000 characters is refused at once', async (t) => {
    const client = new HttpClient(t, service())
    for (const [characters, expected] of [
      [3000, 400],
      // Longer than all header lines may be: refused by the HTTP layer itself.
      [20_000, 431],
    ] as const) {
      const short: number[] = []
      const long: number[] = []
      for (let i = 0; i < 30; i++) {
        short.push((await timed(() => client.packet('i', packet(i)))).ms)
        const { result, ms } = await timed(() => client.packet('i'.repeat(characters), packet(0)))
        assert.equal(result.status, expected)
        long.push(ms)
      }
      assertUndisturbed(t, `a call id of ${characters} characters`, long, short)
    }
  })
})
