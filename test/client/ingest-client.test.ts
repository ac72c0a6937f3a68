/** The gateway's client against the real service: what it sends is stored once, whatever happens to the line. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { WebSocket } from 'ws'
import { IngestClient, ingestProtocol } from '../../src/client/ingest-client.js'
import { freePort } from '../support/asterisk.js'
import { startCutProxy } from '../support/cut-proxy.js'
import { get, startService, temporaryFolder } from '../support/service.js'

const start = { media: { encoding: 'mulaw', sample_rate: 8000, channels: 1 } }
const blocks = 400
const blockOf = (at: number) => new Uint8Array(5 * 160).fill(at % 251)

describe('the ingest client', () => {
  test('loses nothing by ten cuts of the network, and stores nothing twice', async (t) => {
    // Guards against a message that a broken connection swallowed and nobody sends again.
    const service = await startService(t)
    const proxy = await startCutProxy(t, service.port)
    let connections = 0
    const client = new IngestClient({
      connect: () => new WebSocket(`ws://127.0.0.1:${proxy.port}/v1/media/native`, ingestProtocol),
      firstWaitMs: 10,
      longestWaitMs: 50,
      onStatus: (status) => {
        if (status === 'connected') connections++
      },
    })
    t.after(() => client.dispose())
    const stream = client.open({ callId: 'cut', start, packetBytes: 160 })
    for (let at = 0; at < blocks; at++) {
      while (!client.send(stream, blockOf(at))) await new Promise((resolve) => setTimeout(resolve, 5))
      if (at % 40 === 20) {
        proxy.cut()
        await new Promise((resolve) => setTimeout(resolve, 20))
        proxy.mend()
      }
      if (at % 4 === 0) await new Promise((resolve) => setTimeout(resolve, 2))
    }
    assert.equal(await client.close(stream), 0)
    assert(connections >= 5, `${connections} connections`)
    const call = (await get(service, '/v1/call/cut')).body as {
      total_received: number
      missing_count: number
    }
    assert.deepEqual([call.total_received, call.missing_count], [blocks * 5, 0])
  })

  test('goes on after kill -9 of the service, and a full ring takes nothing more', async (t) => {
    const dataDir = temporaryFolder(t)
    let service = await startService(t, { dataDir })
    const client = new IngestClient({
      connect: () => new WebSocket(`ws://127.0.0.1:${service.port}/v1/media/native`, ingestProtocol),
      firstWaitMs: 10,
      longestWaitMs: 100,
      ringBytes: 64 * 1024,
    })
    t.after(() => client.dispose())
    const stream = client.open({ callId: 'killed', start, packetBytes: 160 })
    let isFull = false
    for (let at = 0; at < blocks; at++) {
      if (at === blocks / 2) {
        service.kill('SIGKILL')
        await service.exited
        while (client.send(stream, blockOf(at))) at++
        isFull = true
        service = await startService(t, { dataDir })
      }
      while (!client.send(stream, blockOf(at))) await new Promise((resolve) => setTimeout(resolve, 5))
    }
    assert(isFull && client.waitingBytes <= 64 * 1024)
    assert.equal(await client.close(stream), 0)
    const call = (await get(service, '/v1/call/killed')).body as {
      total_received: number
      missing_count: number
    }
    assert.deepEqual([call.total_received >= blocks * 5, call.missing_count], [true, 0])
  })

  test('sends no more at once than the service takes, however much has waited for it', async (t) => {
    // Guards against a gateway that is closed for what it sends again, and then sends that again for ever.
    const dataDir = temporaryFolder(t)
    const port = await freePort()
    let connections = 0
    const client = new IngestClient({
      connect: () => new WebSocket(`ws://127.0.0.1:${port}/v1/media/native`, ingestProtocol),
      firstWaitMs: 10,
      longestWaitMs: 100,
      ringBytes: 16 * 1024 * 1024,
      onStatus: (status) => {
        if (status === 'connected') connections++
      },
    })
    t.after(() => client.dispose())
    const stream = client.open({ callId: 'waited', start, packetBytes: 160 })
    const taken = 12_000
    for (let at = 0; at < taken; at++) assert(client.send(stream, blockOf(at)))
    const service = await startService(t, { dataDir, settings: { PORT: port } })
    assert.equal(await client.close(stream), 0)
    assert.equal(connections, 1)
    const call = (await get(service, '/v1/call/waited')).body as { total_received: number }
    assert.equal(call.total_received, taken * 5)
  })

  test('is what the example uses: a WAV file as live calls, all on disk', async (t) => {
    const service = await startService(t)
    const child = spawn(process.execPath, [
      'examples/gateway.mjs',
      'examples/support-call.wav',
      '--url',
      `ws://127.0.0.1:${service.port}`,
      '--calls',
      '3',
    ])
    t.after(() => child.kill('SIGKILL'))
    let out = ''
    child.stdout.on('data', (data) => {
      out += data
    })
    child.stderr.on('data', (data) => {
      out += data
    })
    // The file is longer than a test should be: what is stored while it plays will do.
    const until = performance.now() + 20_000
    let calls: { total_received: number; missing_count: number }[] = []
    while (calls.length < 3 || calls.some(({ total_received }) => total_received < 50)) {
      assert(performance.now() < until && child.exitCode === null, out)
      await new Promise((resolve) => setTimeout(resolve, 100))
      calls = ((await get(service, '/v1/calls')).body as unknown as { calls: typeof calls }).calls
    }
    assert(calls.every(({ missing_count }) => missing_count === 0))
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
})
