/**
 * The writer's side of checkpoints. Guards against a checkpoint thread that could not start (no memory, no descriptor) and
 * is waited for ever after: the log would grow without a bound, and no erasure would end. And against a thread that starts
 * hours after its process, from files that an update has replaced meanwhile.
 */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, renameSync, statSync } from 'node:fs'
import { test } from 'node:test'
import { limits } from '../../../../src/limits.js'
import { databasePath, openForWriting } from '../../../../src/store/sqlite/files/database.js'
import { Checkpoints } from '../../../../src/store/sqlite/writing/checkpoints.js'
import { temporaryFolder } from '../../../support/service.js'

test('a checkpoint thread that cannot start is told, and the next checkpoint has another one', async (t) => {
  const dataDir = temporaryFolder(t)
  const path = databasePath(dataDir)
  const db = openForWriting(path)
  const failures: string[] = []
  const checkpoints = new Checkpoints(db, dataDir, (code) => failures.push(code))
  const run = () => new Promise<void>((resolve) => checkpoints.run(resolve))

  renameSync(path, `${path}.away`)
  await run()
  assert.deepEqual(failures, ['CHECKPOINTER'])
  renameSync(`${path}.away`, path)
  await run()
  assert.deepEqual(failures, ['CHECKPOINTER'])

  await checkpoints.close()
  const log = `${path}-wal`
  assert(!existsSync(log) || statSync(log).size === 0, 'the log is empty')
  db.close()
  checkpoints.end()
})

test('the checkpoint thread starts after a while although nothing is to be moved', {
  skip: process.platform !== 'linux',
}, async (t) => {
  const dataDir = temporaryFolder(t)
  const db = openForWriting(databasePath(dataDir))
  const threads = () => readdirSync('/proc/self/task').length
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const checkpoints = new Checkpoints(db, dataDir, () => {})
  const before = threads()
  t.mock.timers.tick(limits.checkpointerStartMs - 1)
  assert.equal(threads(), before)
  t.mock.timers.tick(1)
  assert.equal(threads(), before + 1)
  await checkpoints.close()
  db.close()
  checkpoints.end()
})
