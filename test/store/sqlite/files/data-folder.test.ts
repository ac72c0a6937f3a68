/** Who may see the data. Guards against calls that every user of the machine can read. */
import assert from 'node:assert/strict'
import { chmodSync, existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { prepareDataFolder } from '../../../../src/store/sqlite/files/data-folder.js'
import { packet, post, startService, temporaryFolder } from '../../../support/service.js'

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8)

describe('the data folder', () => {
  test('and all that is in it is its owner’s alone, whatever the umask', async (t) => {
    const dataDir = join(temporaryFolder(t), 'made')
    const wrapper = ['sh', '-c', 'umask 0; exec "$@"', 'sh']
    const service = await startService(t, { dataDir, wrapper })
    await post(service, '/v1/call/stream/c1', packet(0))
    assert.equal(modeOf(dataDir), '700')
    const files = readdirSync(dataDir)
    for (const name of ['db', 'db-wal', 'db-shm', 'lock']) assert(files.includes(`voicestream.${name}`), name)
    for (const file of files) assert.equal(modeOf(join(dataDir, file)), '600', file)
  })

  test('that is looser than that is tightened, and other people’s files in it are left', (t) => {
    const dataDir = temporaryFolder(t)
    chmodSync(dataDir, 0o755)
    for (const name of ['voicestream.db', 'voicestream.db-wal', 'notes.txt']) {
      writeFileSync(join(dataDir, name), '')
      chmodSync(join(dataDir, name), 0o644)
    }
    prepareDataFolder(dataDir)
    assert.equal(modeOf(dataDir), '700')
    assert.equal(modeOf(join(dataDir, 'voicestream.db')), '600')
    assert.equal(modeOf(join(dataDir, 'voicestream.db-wal')), '600')
    assert.equal(modeOf(join(dataDir, 'notes.txt')), '644')
  })

  test('is made with the folders above it', (t) => {
    const above = join(temporaryFolder(t), 'a')
    prepareDataFolder(join(above, 'b', 'c'))
    prepareDataFolder(join(above, 'b', 'c'))
    assert.deepEqual([modeOf(above), modeOf(join(above, 'b', 'c'))], ['700', '700'])
  })

  // Guards against Node's recursive mkdir, which never returns there.
  test('that cannot be made is refused at once', { skip: !existsSync('/proc/self') }, async () => {
    assert.throws(
      () => prepareDataFolder('/proc/voicestream/data'),
      /cannot create the data folder \/proc\/voicestream \(/,
    )
  })

  test('into which everybody can write is refused with one line', async (t) => {
    const dataDir = temporaryFolder(t)
    for (const mode of [0o777, 0o1777, 0o702]) {
      chmodSync(dataDir, mode)
      assert.throws(() => prepareDataFolder(dataDir), /everybody can write to the data folder/)
    }
    await assert.rejects(startService(t, { dataDir }), /everybody can write to the data folder/)
    assert.deepEqual(readdirSync(dataDir), [])
  })
})
