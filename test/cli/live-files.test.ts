/**
 * Commands that write files, pointed at the database of a running service. Guards against a backup that puts itself in
 * the place of the live file: the service goes on with a file that has no name, and all that it acknowledges is lost.
 */
import assert from 'node:assert/strict'
import { linkSync, mkdirSync, readdirSync, renameSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { assertNotLive } from '../../src/cli/live-files.js'
import { runProgram } from '../support/command.js'
import { get, packet, post, startService, temporaryFolder } from '../support/service.js'

const identities = (folder: string) =>
  readdirSync(folder)
    .sort()
    .map((name) => `${name} ${statSync(join(folder, name)).ino}`)

/** Every way to name a file of the database in `folder`, or one that would pass for it. */
function spellings(t: TestContext, folder: string): readonly string[] {
  const elsewhere = temporaryFolder(t)
  const at = (name: string) => join(elsewhere, name)
  symlinkSync(join(folder, 'voicestream.db'), at('file-link'))
  symlinkSync(at('file-link'), at('link-to-link'))
  symlinkSync(folder, at('folder-link'))
  linkSync(join(folder, 'voicestream.db'), at('hard-link'))
  linkSync(join(folder, 'voicestream.db-wal'), at('hard-link-wal'))
  symlinkSync(join(folder, 'voicestream.lock'), at('lock-link'))
  mkdirSync(at('sub'))
  symlinkSync(folder, join(at('sub'), 'folder'))
  const own = ['', '-wal', '-shm', '-journal'].flatMap((suffix) => [
    join(folder, `voicestream.db${suffix}`),
    `${folder}//./voicestream.db${suffix}`,
    `${folder}/../${folder.split('/').at(-1)}/voicestream.db${suffix}`,
    join(at('folder-link'), `voicestream.db${suffix}`),
    join(at('sub'), 'folder', `voicestream.lock${suffix}`),
    join(folder, `VoiceStream.DB${suffix}`),
  ])
  return [
    ...own,
    at('file-link'),
    at('link-to-link'),
    at('hard-link'),
    at('hard-link-wal'),
    at('lock-link'),
    join(folder, 'voicestream.lock'),
  ]
}

describe('a file of the database of a running service', () => {
  test('is never the target of a command, however it is spelt or linked', async (t) => {
    const service = await startService(t)
    await post(service, '/v1/call/stream/c1', packet(0))
    const { dataDir } = service
    const paths = spellings(t, dataDir)
    const before = identities(dataDir)
    assert(paths.length > 25)
    for (const path of paths)
      assert.throws(
        () => assertNotLive(path, join(dataDir, 'voicestream.db')),
        { name: 'CommandError', exitCode: 64 },
        path,
      )
    assertNotLive(join(dataDir, 'backup.db'), join(dataDir, 'voicestream.db'))
    const [path = '', hardLink = ''] = [paths[0], paths.find((each) => each.endsWith('hard-link'))]
    for (const words of [
      ['backup', path, '--data-dir', dataDir, '--force'],
      ['backup', hardLink, '--data-dir', dataDir, '--force'],
      ['export', 'c1', '--format', 'ndjson', '-o', path, '--data-dir', dataDir, '--force'],
    ]) {
      const { code, err } = await runProgram(words)
      assert.equal(code, 64, `${words.join(' ')}: ${err}`)
      assert.match(err, /choose another path/)
      assert.equal(err.trim().split('\n').length, 1)
    }
    assert.deepEqual(identities(dataDir), before)
    assert.equal((await post(service, '/v1/call/stream/c1', packet(1))).status, 202)
    service.kill('SIGTERM')
    await service.exited
    const again = await startService(t, { dataDir })
    assert.equal((await get(again, '/v1/call/c1')).body['total_received'], 2)
  })

  test('is none of another service either', async (t) => {
    const [source, other] = [await startService(t), await startService(t)]
    await post(source, '/v1/call/stream/c1', packet(0))
    const before = identities(other.dataDir)
    for (const name of ['voicestream.db', 'voicestream.db-wal', 'voicestream.db-journal'])
      assert.throws(
        () => assertNotLive(join(other.dataDir, name), join(source.dataDir, 'voicestream.db')),
        { exitCode: 64 },
        name,
      )
    assert.deepEqual(identities(other.dataDir), before)
  })

  test('is protected where the database is a link to another folder, and while nothing runs', async (t) => {
    const service = await startService(t)
    await post(service, '/v1/call/stream/c1', packet(0))
    service.kill('SIGTERM')
    await service.exited
    const disk = temporaryFolder(t)
    renameSync(join(service.dataDir, 'voicestream.db'), join(disk, 'calls.db'))
    symlinkSync(join(disk, 'calls.db'), join(service.dataDir, 'voicestream.db'))
    for (const path of [
      join(disk, 'calls.db'),
      join(disk, 'calls.db-wal'),
      join(disk, 'calls.db-journal'),
      join(service.dataDir, 'voicestream.db'),
      join(service.dataDir, 'voicestream.db-wal'),
    ])
      assert.throws(
        () => assertNotLive(path, join(service.dataDir, 'voicestream.db')),
        { exitCode: 64 },
        path,
      )
    const { code, err } = await runProgram(['backup', join(disk, 'copy.db'), '--data-dir', service.dataDir])
    assert.equal(code, 0, err)
  })
})
