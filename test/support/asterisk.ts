/**
 * A real Asterisk and real SIP phones (`test/pbx`). `ASTERISK_DIR` names the folder into which `get-asterisk.sh` has unpacked
 * them. Without it the tests are skipped and say so; with `ASTERISK_REQUIRED=1`, as `.ci/run` sets it, that is a failure.
 */
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'

export const asteriskFolder = process.env['ASTERISK_DIR'] ?? ''

/** For `describe`: why the block is left out, or false. */
export function skippedWithoutAsterisk(): string | false {
  const isThere = asteriskFolder !== '' && existsSync(join(asteriskFolder, 'bin', 'asterisk'))
  if (isThere || process.env['ASTERISK_REQUIRED'] === '1') return false
  const reason = 'NO ASTERISK HERE: it was not tested (test/pbx/get-asterisk.sh DIR, then ASTERISK_DIR=DIR)'
  console.error(`!!! ${reason}`)
  return reason
}

/** Its programs take some 1,500 ports from there on. */
let nextPort = 20_000 + (process.pid % 200) * 100

export function takePorts(): number {
  const base = nextPort
  nextPort += 1600
  return base
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}
