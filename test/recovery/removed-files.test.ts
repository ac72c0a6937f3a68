/**
 * The files of a running service are removed or replaced. Guards against packets that are acknowledged into a file which
 * nobody can find any more, and against a second process that starts because the lock is gone.
 */
import assert from 'node:assert/strict'
import { copyFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { packet, post } from '../support/service.js'
import { Stage } from '../torture/stage.js'

const database = (dataDir: string) => join(dataDir, 'voicestream.db')

const removals: Readonly<Record<string, (dataDir: string) => void>> = {
  'the whole folder': (dataDir) => rmSync(dataDir, { recursive: true }),
  'the folder, to another name': (dataDir) => renameSync(dataDir, `${dataDir}.moved`),
  'the log': (dataDir) => rmSync(`${database(dataDir)}-wal`),
  'the lock': (dataDir) => rmSync(join(dataDir, 'voicestream.lock')),
  'the database, for a copy in its place': (dataDir) => {
    copyFileSync(database(dataDir), `${database(dataDir)}.copy`)
    renameSync(`${database(dataDir)}.copy`, database(dataDir))
  },
}

describe('a service stops with 74 and says what is gone, when somebody removes', { concurrency: 2 }, () => {
  for (const [what, remove] of Object.entries(removals))
    test(what, async (t) => {
      const stage = Stage.of(t)
      const dataDir = join(stage.folder(), 'data')
      const service = await stage.service({ dataDir })
      assert.equal((await post(service, '/v1/call/stream/c1', packet(0))).status, 202)
      remove(dataDir)
      assert.equal(await service.exited, 74)
      const fatal = service.log.find(({ msg }) => /the store has failed/.test(String(msg)))
      assert.match(JSON.stringify(fatal), /was removed or replaced while the service ran/)
    })
})
