/**
 * A log that nobody reads, whose reader has gone, or whose disk is full. Guards against a service that waits for its log:
 * every answer would stop with it, and a PBX could bring that about by sending what is worth a line.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { limits } from '../../src/limits.js'
import { NamedPipe } from '../support/named-pipe.js'
import {
  eventually,
  get,
  getText,
  mainPath,
  packet,
  post,
  quickSettings,
  startService,
  temporaryFolder,
} from '../support/service.js'

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

interface Unread {
  readonly url: string
  readonly exited: Promise<number | null>
  kill(signal: NodeJS.Signals): void
}

/** The service with its log in the file at `path`; it is not known whether it has started. */
function spawnService(t: TestContext, path: string, port: number): Unread {
  // The shell opens the file, so that its flags are the service's own.
  const child = spawn('/bin/sh', ['-c', 'exec "$0" "$@" > "$LOG_FILE"', process.execPath, mainPath()], {
    env: {
      ...process.env,
      ...Object.fromEntries(
        Object.entries(quickSettings).map(([key, value]) => [`VOICESTREAM_${key}`, String(value)]),
      ),
      VOICESTREAM_DATA_DIR: temporaryFolder(t),
      VOICESTREAM_PORT: String(port),
      LOG_FILE: path,
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const exited = once(child, 'exit').then(([code]) => code as number | null)
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    await exited
  })
  return { url: `http://127.0.0.1:${port}`, exited, kill: (signal) => child.kill(signal) }
}

async function startUnread(t: TestContext, path: string): Promise<Unread> {
  const service = spawnService(t, path, await freePort())
  await eventually(
    () => get(service, '/health/live').catch(() => null),
    (answer) => answer?.status === 200,
  )
  return service
}

/** Sends what is worth a line each, and expects every answer. */
async function sendWhatIsLogged(service: { readonly url: string }): Promise<void> {
  await post(service, '/v1/call/stream/c1', packet(0))
  for (let round = 0; round < 10; round++) {
    const packets = Array.from({ length: 200 }, (_, index) => packet(0, `other ${round} ${index}`))
    const answers = await Promise.all(packets.map((other) => post(service, '/v1/call/stream/c1', other)))
    assert(answers.every(({ status }) => status === 202))
    assert.equal((await get(service, '/health/live')).status, 200)
  }
}

async function stopsCleanly(service: Unread): Promise<void> {
  const startedAt = performance.now()
  service.kill('SIGTERM')
  assert.equal(await service.exited, 0)
  const tookMs = performance.now() - startedAt
  assert(tookMs < limits.stopMsMax, `the stop took ${tookMs} ms`)
}

describe('a service', () => {
  test('starts, answers and stops while its log is a full pipe that nobody reads', async (t) => {
    const pipe = new NamedPipe(t)
    assert(pipe.fill(t) > 0)
    const service = await startUnread(t, pipe.path)
    await sendWhatIsLogged(service)
    await stopsCleanly(service)
  })

  test('goes on when the reader of its log has gone', async (t) => {
    const pipe = new NamedPipe(t)
    const service = await startUnread(t, pipe.path)
    pipe.closeReader()
    await sendWhatIsLogged(service)
    await stopsCleanly(service)
  })

  test('goes on when the disk of its log is full', async (t) => {
    const service = await startUnread(t, '/dev/full')
    await sendWhatIsLogged(service)
    await stopsCleanly(service)
  })

  test('that cannot start ends with its exit code although nobody reads why', async (t) => {
    const pipe = new NamedPipe(t)
    pipe.fill(t)
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    t.after(() => taken.close())
    const { exited } = spawnService(t, pipe.path, (taken.address() as { port: number }).port)
    assert.equal(await exited, 1)
  })

  test('writes one line each for some of what a PBX does wrong often, and counts the rest', async (t) => {
    const service = await startService(t)
    await sendWhatIsLogged(service)
    const kind = 'a duplicate differs from the stored packet; the stored one is kept'
    const logged = () => service.log.filter(({ msg }) => msg === kind).length
    // Duplicates are compared after their answer, so the count still rises.
    const differing = async () => {
      const metrics = await getText(service, '/metrics')
      return Number(/^voicestream_duplicate_mismatches_total (\d+)$/m.exec(metrics)?.[1])
    }
    const unlogged = () =>
      service.log
        .filter((line) => line['kind'] === kind)
        .reduce((sum, line) => sum + Number(line['unlogged']), 0)
    await eventually(
      async () => ({ compared: await differing(), lines: logged() + unlogged() }),
      ({ compared, lines }) => compared > 2 * limits.logLinesBurst && lines === compared,
    )
    assert(logged() <= 2 * limits.logLinesBurst, `${logged()} lines`)
  })
})
