/** A store that cannot go on: who still asks it is told why. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VoiceStreamError } from '../../../src/errors.js'
import { callId } from '../../support/calls.js'
import { append, lifecycleEntry, packetEntry, snapshot } from '../../support/journals.js'
import { change, openJournal } from '../../support/sqlite.js'

test('a store that has ended says what ended it, to those who wait and those who come later', async (t) => {
  // Guards against "the store has ended" alone, behind which a fault of the disk cannot be told from one of the program.
  const { journal, dataDir, fatal } = await openJournal(t)
  const stream = journal.create(callId('c1'))
  await append(journal, stream, [packetEntry(0)], snapshot())
  change(dataDir, (db) => db.exec('DROP TABLE lifecycle'))
  await assert.rejects(append(journal, stream, [lifecycleEntry(1)], snapshot()))
  assert.match(fatal[0]?.message ?? '', /no such table: lifecycle/)
  await assert.rejects(
    () => journal.replay(callId('c1')),
    (error) => error instanceof VoiceStreamError && error.cause === fatal[0],
  )
})
