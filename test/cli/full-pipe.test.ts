/** A pipe of errors that nobody reads. Guards against a command that waits for its reader and never says its exit code. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { mainPath } from '../support/service.js'

test('a service whose configuration is wrong ends, although nobody reads why', async (t) => {
  // `yes` fills the pipe before the service writes to it; `sleep` holds its other end and never reads.
  const script =
    '{ (yes | dd oflag=nonblock bs=4096 count=1000 >&2 2>/dev/null; exec "$0" "$1" --PORT=none >/dev/null); echo $? >&3; } 2>&1 >/dev/null | sleep 30'
  const child = spawn('bash', ['-c', script, process.execPath, mainPath()], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    detached: true,
  })
  t.after(() => process.kill(-(child.pid as number), 'SIGKILL'))
  const told = child.stdio[3] as NodeJS.ReadableStream
  const [code] = await once(told, 'data', { signal: AbortSignal.timeout(20_000) })
  assert.equal(String(code).trim(), '78')
})
