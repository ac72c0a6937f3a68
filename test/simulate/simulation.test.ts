import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { after, before, describe, type TestContext, test } from 'node:test'
import { systemClock } from '../../src/simulate/clock.js'
import { simulate } from '../../src/simulate/simulation.js'
import { mainPath } from '../support/service.js'
import { chunk, formatChunk, muLaw, riff, speechOf } from '../support/wav-files.js'
import { type FakeBehaviour, startFakeService } from './fake-service.js'

const impaired =
  '--calls 4 --speed 50 --seed 9 --loss 4 --reorder 8 --duplicate 6 --late 5 --grace 100'.split(' ')
const packetCount = 150
let folder = ''
let file = ''

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'simulate-'))
  file = join(folder, 'call.wav')
  writeFileSync(file, riff(formatChunk(muLaw), chunk('data', speechOf(packetCount))))
})
after(() => rmSync(folder, { recursive: true }))

/** Runs the command in this process; a signal can be given to interrupt it. */
async function run(words: string[], signal = new AbortController().signal, environment = {}) {
  const out = new PassThrough()
  const err = new PassThrough()
  const outText = text(out)
  const errText = text(err)
  const terminal = { out, err, canMove: false, columns: 110 }
  const exitCode = await simulate(words, { clock: systemClock, terminal, signal, randomSeed: 5, environment })
  out.end()
  err.end()
  return { exitCode, out: await outText, err: await errText }
}

async function runAgainst(t: TestContext, behaviour: Partial<FakeBehaviour>, words: string[]) {
  const service = await startFakeService(behaviour)
  t.after(() => service.close())
  return { service, ...(await run([file, '--url', service.url, ...words])) }
}

describe('a run against an honest service', () => {
  test('with all faults ends with every account exact', async (t) => {
    const { service, exitCode, out } = await runAgainst(t, {}, [...impaired, '--prefix', 'p-'])
    assert.match(out, /accounts: every one of 4 is exact/)
    assert.equal(exitCode, 0)
    assert.match(out, /seed 9\n/)
    assert.match(out, /packets\/s, [\d.]+ times real time/)
    assert.match(out, /p-1 .*ARCHIVED .*Words of p-1/)
    const calls = [...service.calls.values()]
    assert.equal(calls.length, 4)
    assert.ok(
      calls.every(
        ({ late, duplicates, packets }) => late > 0 && duplicates > 0 && packets.size < packetCount,
      ),
    )
  })

  test('sends the same faults for the same seed', async (t) => {
    const words = [...impaired, '--prefix', 'p-']
    const counts = async () => {
      // A grace period that no late packet can miss, however slow the machine is.
      const { service } = await runAgainst(t, { graceMs: 1_000 }, words)
      return [...service.calls].sort().map(([callId, { packets }]) => [callId, [...packets.keys()]])
    }
    assert.deepEqual(await counts(), await counts())
  })

  test('stays exact when connections break after a packet was taken', async (t) => {
    const { service, exitCode, out } = await runAgainst(t, { breakEvery: 13 }, impaired)
    assert.equal(exitCode, 0, out)
    assert.ok(service.injected.breaks > 30)
    assert.match(out, new RegExp(`tries without an answer, sent again: ${service.injected.breaks} `))
  })

  test('stays exact when the service is overloaded at times', async (t) => {
    const { service, exitCode, out } = await runAgainst(t, { overloadEvery: 17 }, impaired)
    assert.equal(exitCode, 0, out)
    assert.ok(service.injected.overloads > 20)
  })

  test('reads all pages where more than 100 ranges are missing', async (t) => {
    const file = join(folder, 'long.wav')
    writeFileSync(file, riff(formatChunk(muLaw), chunk('data', speechOf(700))))
    const service = await startFakeService()
    t.after(() => service.close())
    const words = [
      file,
      '--url',
      service.url,
      ...'--calls 1 --speed 1000 --loss 45 --seed 3 --prefix p'.split(' '),
    ]
    const { exitCode, out } = await run(words)
    assert.equal(exitCode, 0, out)
  })

  test('counts late packets that miss the grace period as missing', async (t) => {
    const { exitCode, out } = await runAgainst(t, { graceMs: 0 }, [...impaired, '--grace', '0'])
    assert.match(out, /late packets rejected after the grace period, so missing: \d+/)
    assert.equal(exitCode, 0, out)
  })

  test('uses no more connections than it may', async (t) => {
    const { service, exitCode } = await runAgainst(t, {}, [...impaired, '--connections', '2'])
    assert.equal(exitCode, 0)
    assert.ok(service.connectionCount() <= 2, `${service.connectionCount()} connections`)
  })

  test('with --no-wait compares the accounts of calls that have not ended', async (t) => {
    const { exitCode, out } = await runAgainst(t, { endsCalls: false }, [...impaired, '--no-wait'])
    assert.match(out, /4 PROCESSING_AI|4 COMPLETED/)
    assert.equal(exitCode, 0, out)
  })
})

describe('a run against a service that lies', () => {
  const lies: [string, Partial<FakeBehaviour>, RegExp][] = [
    [
      'loses a packet that it acknowledged',
      { keep: (packet) => (packet.sequence === 70 ? null : packet) },
      /p-\d · receipt of sequence 70: total_received: expected \d+, found \d+/,
    ],
    [
      'changes a byte of a packet',
      {
        keep: (packet) => (packet.sequence === 70 ? { ...packet, data: `A${packet.data.slice(1)}` } : packet),
      },
      /p-1 · packet 70: data: expected 160 bytes, byte 0 is \d+, found 160 bytes, byte 0 is \d+/,
    ],
    [
      'miscounts the late packets in the view',
      { view: (view) => ({ ...view, late_count: 0 }) },
      /p-1 · late_count: expected \d+, found 0/,
    ],
    [
      'forgets a duplicate in the view',
      { view: (view) => ({ ...view, duplicate_count: Number(view['duplicate_count']) - 1 }) },
      /p-1 · duplicate_count: expected \d+, found \d+/,
    ],
    [
      'hides a gap in the view',
      { view: (view) => ({ ...view, missing_ranges: [] }) },
      /p-1 · missing range 1: expected \d+–\d+, found none/,
    ],
    [
      'calls a new packet a duplicate',
      { receipt: (receipt) => (receipt['sequence'] === 0 ? { ...receipt, status: 'duplicate' } : receipt) },
      /p-1 · packet 0: .*had never been sent/,
    ],
    [
      'answers something else than a receipt',
      { receipt: () => ({ detail: 'ok' }) },
      /p-1 · answers: expected those of the contract, found "status" is not a string/,
    ],
  ]
  for (const [lie, behaviour, line] of lies)
    test(`exits 1 and names call and number when it ${lie}`, async (t) => {
      const { exitCode, out } = await runAgainst(t, behaviour, [...impaired, '--prefix', 'p-'])
      assert.match(out, line)
      assert.match(out, /accounts: \d+ differences/)
      assert.equal(exitCode, 1)
    })

  test('exits 1 when a range behind the first 100 is wrong', async (t) => {
    const file = join(folder, 'long.wav')
    writeFileSync(file, riff(formatChunk(muLaw), chunk('data', speechOf(700))))
    const service = await startFakeService({ gaps: (gaps) => gaps.slice(0, -1) })
    t.after(() => service.close())
    const words = [file, '--url', service.url, ...'--calls 1 --speed 1000 --loss 45 --seed 3'.split(' ')]
    const { exitCode, out } = await run(words)
    assert.match(out, /missing range 1\d\d: expected \d+–\d+, found none/)
    assert.equal(exitCode, 1)
  })

  test('exits 1 when it rejects a late packet within the grace period', async (t) => {
    const { exitCode, out } = await runAgainst(t, { graceMs: 0 }, [...impaired, '--grace', '60000'])
    assert.match(out, /expected accepted for 60000 ms after the completion, found rejected after \d+ ms/)
    assert.equal(exitCode, 1)
  })
})

describe('a run that cannot be completed', () => {
  test('exits 3 and names the calls that did not end in time', async (t) => {
    const { exitCode, out } = await runAgainst(t, { endsCalls: false }, [
      ...impaired,
      '--timeout',
      '1',
      '--prefix',
      'p-',
    ])
    assert.match(out, /not ended: p-1, p-2, p-3, p-4/)
    assert.equal(exitCode, 3)
  })

  test('exits 3 when nobody serves the address', async () => {
    const port = await freePort()
    const { exitCode, err } = await run([file, '--url', `http://127.0.0.1:${port}`])
    assert.match(err, /does not serve: no answer: ECONNREFUSED/)
    assert.equal(exitCode, 3)
  })

  test('exits 3 when the service goes away in the middle', async (t) => {
    const service = await startFakeService()
    t.after(() => service.close())
    const running = run([file, '--url', service.url, '--calls', '2', '--retry-for', '0.3'])
    await until(() => service.calls.size === 2)
    await service.close()
    const { exitCode, out } = await running
    assert.match(out, /not compared in full, no answer: ECONN/)
    assert.equal(exitCode, 3)
  })

  test('sends a request again that is answered 505 once, as one is whose line came in two segments', async (t) => {
    const service = await startFakeService()
    t.after(() => service.close())
    let refused = 0
    const server = createServer((socket) => {
      socket.on('error', () => {})
      if (refused++ === 0)
        return void socket.once('data', () =>
          socket.end('HTTP/1.1 505 HTTP Version Not Supported\r\nConnection: close\r\n\r\n<h1>505</h1>'),
        )
      const on = connect(Number(new URL(service.url).port), '127.0.0.1')
      on.on('error', () => socket.destroy())
      socket.pipe(on).pipe(socket)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.after(() => server.close())
    const { port } = server.address() as { port: number }
    const { exitCode, out, err } = await run([file, '--url', `http://127.0.0.1:${port}`, '--calls', '1'])
    assert.equal(exitCode, 0, out + err)
    assert(refused > 1)
  })

  test('exits 1 at once when it is told that its HTTP is not spoken here, which would not change', async (t) => {
    let requests = 0
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => {
        requests++
        socket.end('HTTP/1.1 505 HTTP Version Not Supported\r\nConnection: close\r\n\r\n<h1>505</h1>')
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.after(() => server.close())
    const { port } = server.address() as { port: number }
    const words = [file, '--url', `http://127.0.0.1:${port}`, '--calls', '1']
    const { exitCode, out, err } = await run(words)
    assert.equal(exitCode, 1, out + err)
    assert.match(out + err, /got 505/)
    assert.equal(requests % 3, 0, `each of ${requests} requests is tried three times`)
    assert(requests > 0 && requests <= 9)
  })

  test('exits 130 when interrupted, with a table of what is known', async (t) => {
    const service = await startFakeService()
    t.after(() => service.close())
    const interruption = new AbortController()
    const running = run([file, '--url', service.url, '--calls', '3', '--prefix', 'p-'], interruption.signal)
    await until(() => service.calls.size === 3)
    interruption.abort()
    const { exitCode, out } = await running
    assert.match(out, /p-3/)
    assert.match(out, /accounts: interrupted when 0 were compared/)
    assert.equal(exitCode, 130)
  })

  test('exits 2 for a file or an option that is wrong', async () => {
    assert.equal((await run([join(folder, 'none.wav')])).exitCode, 2)
    const { exitCode, err } = await run([file, '--lost', '3'])
    assert.equal(exitCode, 2)
    assert.equal(err, "simulate: Unknown option '--lost' (--help shows the options)\n")
  })
})

test('the command itself reads its arguments and sets the exit code', async () => {
  const runMain = async (word: string) => {
    const child = spawn(process.execPath, [mainPath(), 'simulate', word], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const [out, exitCode] = await Promise.all([
      text(child.stdout),
      new Promise((resolve) => child.on('close', resolve)),
    ])
    return { out, exitCode }
  }
  const help = await runMain('--help')
  assert.match(help.out, /voicestream simulate FILE.wav/)
  assert.equal(help.exitCode, 0)
  assert.equal((await runMain('--unknown')).exitCode, 2)
})

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  assert.ok(typeof address === 'object' && address !== null)
  return address.port
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await systemClock.sleep(5)
}
