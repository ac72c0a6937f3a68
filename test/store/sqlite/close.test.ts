/**
 * A store that cannot be closed. Guards against a cause that nobody is told ("the store has ended"), and against threads
 * that stay behind and keep the process from ending.
 */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { Worker } from 'node:worker_threads'
import { SqliteJournal } from '../../../src/store/sqlite/sqlite-journal.js'
import { callId } from '../../support/calls.js'
import { storedCall } from '../../support/journals.js'
import { temporaryFolder } from '../../support/service.js'
import { change, openJournal } from '../../support/sqlite.js'

/** A journal with its threads: the writer is the first that is started. */
async function opened(t: TestContext) {
  const exits: Promise<unknown>[] = []
  const workers: Worker[] = []
  const started = (worker: Worker) => {
    workers.push(worker)
    exits.push(new Promise((resolve) => worker.once('exit', resolve)))
  }
  process.on('worker', started)
  t.after(() => process.off('worker', started))
  const dataDir = temporaryFolder(t)
  const fatal: Error[] = []
  const journal = await SqliteJournal.open({
    dataDir,
    now: 1_700_000_000_000,
    dueWithin: {},
    onFatal: (error) => fatal.push(error),
  })
  const [writer] = workers
  assert(writer !== undefined)
  return { journal, dataDir, fatal, writer, allEnded: () => Promise.all(exits) }
}

describe('a store that cannot be closed', () => {
  test('because its disk fails meanwhile says so, and leaves no thread', { timeout: 60_000 }, async (t) => {
    const { journal, fatal, writer, allEnded } = await opened(t)
    await storedCall(journal, callId('c1'), [0, 1])
    const closing = journal.close()
    // In the place of the thread, whose message it is: the reader is closed by then, and the writer is at work.
    const failed = { type: 'checkpoint-failed', code: 'SQLITE_IOERR_FSYNC', message: 'no', isFatal: true }
    const post = writer.postMessage.bind(writer)
    writer.postMessage = (message: { type: string }, ...rest) => {
      post(message, ...rest)
      if (message.type === 'close') writer.emit('message', failed)
    }
    await assert.rejects(closing, ({ code, cause }: Error & { code?: string }) => {
      assert.equal(code, 'read_failed')
      assert.match(String(cause), /SQLITE_IOERR_FSYNC: no/)
      assert.deepEqual(fatal, [cause])
      return true
    })
    await allEnded()
  })

  test('because the database cannot be written leaves no thread, and its log for the next start', {
    timeout: 60_000,
  }, async (t) => {
    const { journal, dataDir, fatal, allEnded } = await opened(t)
    await storedCall(journal, callId('c1'), [0, 1])
    change(dataDir, (db) =>
      db.exec("CREATE TRIGGER mine BEFORE DELETE ON journal BEGIN SELECT RAISE(ABORT, 'not now'); END"),
    )
    await assert.rejects(journal.close(), /not now/)
    assert.deepEqual(fatal, [])
    await allEnded()
    change(dataDir, (db) => db.exec('DROP TRIGGER mine'))
    const { journal: next } = await openJournal(t, { dataDir })
    assert.equal((await next.packets(callId('c1'), 0, 10)).packets.length, 2)
  })
})
