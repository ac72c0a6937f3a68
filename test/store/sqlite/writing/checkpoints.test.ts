/**
 * The writer's side of checkpoints. Guards against a checkpoint thread that could not start (no memory, no descriptor) and
 * is waited for ever after: the log would grow without a bound, and no erasure would end.
 */
import assert from 'node:assert/strict'
import { existsSync, renameSync, statSync } from 'node:fs'
import { test } from 'node:test'
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
