/**
 * A data folder that the service must not touch: it ends with one clear line and leaves every byte as it was. Guards
 * against starting empty beside somebody's data, writing to another schema, and a refusal that damages by itself.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import Database from 'better-sqlite3'
import { get, packet, post } from '../support/service.js'
import { fingerprint, startRefused } from '../torture/refusal.js'
import { killHard, Stage } from '../torture/stage.js'
import { assertRefused } from './assert-refused.js'

const databaseFiles = ['voicestream.db', 'voicestream.db-wal']

/** A database of this service with packets in it, the last of them in its write-ahead log only. */
async function killedDatabase(stage: Stage): Promise<string> {
  const dataDir = stage.folder()
  const service = await stage.service({ dataDir })
  for (let sequence = 0; sequence < 3; sequence++) await post(service, '/v1/call/stream/c1', packet(sequence))
  await killHard(service)
  return dataDir
}

/**
 * A copy of the database with `change` in its write-ahead log, as a crash of whoever made the change leaves it. The
 * copy is made while the connection is open, because its close would fold the log in.
 */
async function changedCopy(stage: Stage, change: string): Promise<string> {
  const from = await killedDatabase(stage)
  const to = stage.folder()
  const db = new Database(join(from, 'voicestream.db'))
  db.exec(change)
  for (const name of databaseFiles) copyFileSync(join(from, name), join(to, name))
  db.close()
  return to
}

describe('a database that is not to be touched', { concurrency: 2 }, () => {
  const plain: Readonly<Record<string, { prepare: (dataDir: string) => void; reason: RegExp }>> = {
    'a file of garbage': {
      prepare: (dataDir) => writeFileSync(join(dataDir, 'voicestream.db'), randomBytes(16_384)),
      reason: /not a database/,
    },
    'a folder in place of the file': {
      prepare: (dataDir) => mkdirSync(join(dataDir, 'voicestream.db')),
      reason: /voicestream\.db/,
    },
    'the database of another program': {
      prepare: (dataDir) => {
        const other = new Database(join(dataDir, 'voicestream.db'))
        other.exec('CREATE TABLE notes(text); PRAGMA application_id = 42')
        other.close()
      },
      reason: /another program/,
    },
  }
  for (const [what, { prepare, reason }] of Object.entries(plain))
    test(`${what} stops the start with a clear line, and no byte of it changes`, async (t) => {
      const stage = Stage.of(t)
      const dataDir = stage.folder()
      prepare(dataDir)
      const before = fingerprint(dataDir, databaseFiles)
      assertRefused(await startRefused(stage, { DATA_DIR: dataDir }), reason, 5000)
      assert.deepEqual(fingerprint(dataDir, databaseFiles), before)
    })

  for (const [what, change, reason] of [
    ['a schema that is newer than the program', 'PRAGMA user_version = 1000', /schema version 1000/],
    ['a schema that is older than the program', 'PRAGMA user_version = 0', /schema version 0/],
    ['tables of another layout', 'DROP TABLE erasures', /the layout of this program: erasures/],
    ['the id of another program', 'PRAGMA application_id = 42', /another program/],
  ] as const)
    test(`${what} stops the start, and neither the database nor its log changes`, async (t) => {
      const stage = Stage.of(t)
      const dataDir = await changedCopy(stage, change)
      const before = fingerprint(dataDir, databaseFiles)
      assert.notEqual(before['voicestream.db-wal'], 'absent', 'the change is in a log')
      assertRefused(await startRefused(stage, { DATA_DIR: dataDir }), reason, 5000)
      assert.deepEqual(fingerprint(dataDir, databaseFiles), before)
    })

  test('a database of the service itself is not refused', async (t) => {
    const stage = Stage.of(t)
    const service = await stage.service({ dataDir: await changedCopy(stage, 'PRAGMA optimize') })
    assert.equal((await get(service, '/v1/call/c1')).body['total_received'], 3)
  })
})
