/**
 * A real Asterisk and real SIP phones (`test/pbx`). `ASTERISK_DIR` names the folder into which `get-asterisk.sh` has unpacked
 * them. Without it the tests are skipped and say so; with `ASTERISK_REQUIRED=1`, as `.ci/run` sets it, that is a failure.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { atEnd } from './cleanup.js'

const folder = process.env['ASTERISK_DIR'] ?? ''

/** For `describe`: why the block is left out, or false. */
export function skippedWithoutAsterisk(): string | false {
  const isThere = folder !== '' && existsSync(join(folder, 'bin', 'asterisk'))
  if (isThere || process.env['ASTERISK_REQUIRED'] === '1') return false
  const reason = 'NO ASTERISK HERE: it was not tested (test/pbx/get-asterisk.sh DIR, then ASTERISK_DIR=DIR)'
  console.error(`!!! ${reason}`)
  return reason
}

export interface PhoneCall {
  /** Of the extensions in test/pbx/config/extensions.conf. */
  readonly extension: string
  /** Where the extension's media go; where Asterisk opens its ARI. */
  readonly target: string
  readonly ariUri?: string
  readonly seconds: number
  readonly callerScenario?: string
}

/** Its programs take some 1,500 ports from there on. */
let nextPort = 20_000 + (process.pid % 200) * 100

/** One real call, caller → Asterisk → agent. Resolves with what was printed, once both phones have hung up. */
export async function phoneCall(t: TestContext, call: PhoneCall): Promise<{ code: number; output: string }> {
  const child = startCall(t, call)
  const [code] = (await once(child.process, 'exit')) as [number]
  return { code, output: child.lines.join('\n') }
}

export function startCall(
  t: TestContext,
  { extension, target, ariUri, seconds, callerScenario }: PhoneCall,
): { readonly process: ChildProcess; readonly lines: readonly string[] } {
  const base = nextPort
  nextPort += 1600
  const child = spawn('test/pbx/run-call.sh', [folder, target, String(seconds)], {
    env: {
      ...process.env,
      EXTEN: extension,
      PORT_BASE: String(base),
      ...(ariUri === undefined ? {} : { ARI_OUT_URI: ariUri }),
      ...(callerScenario === undefined ? {} : { CALLER_XML: callerScenario }),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines: string[] = []
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on('line', (line) => lines.push(line))
  atEnd(t, async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    await once(child, 'exit')
  })
  return { process: child, lines }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}
