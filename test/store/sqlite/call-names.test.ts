/** The filter of names: it must never take a stored call for a new one, and seldom a new one for a stored one. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CallNames } from '../../../src/store/sqlite/call-names.js'
import { callId } from '../../support/calls.js'
import { storedCall } from '../../support/journals.js'
import { close, openJournal } from '../../support/sqlite.js'

const names = (prefix: string, count: number) => [...Array(count).keys()].map((i) => `${prefix}-${i}`)

test('every name that was added may be held, and of 100,000 others at most one in a thousand', () => {
  const own = new CallNames()
  const stored = new CallNames()
  for (const name of names('load1', 100_000)) own.add(name)
  for (const name of names('a84b4c76e66710@gw.example', 100_000)) stored.add(name)
  own.addAll(stored.words)
  for (const name of [...names('load1', 100_000), ...names('a84b4c76e66710@gw.example', 100_000)])
    assert.equal(own.mayHold(name), true, name)
  const taken = names('load2', 100_000).filter((name) => own.mayHold(name)).length
  assert(taken <= 100, `${taken} of 100,000`)
})

test('a journal that is opened again knows the calls that are stored, and those that are new', async (t) => {
  // Guards against a filter that holds only what this process has created.
  const first = await openJournal(t)
  for (const name of names('stored', 50)) await storedCall(first.journal, callId(name))
  await close(first.journal)
  const { journal } = await openJournal(t, { dataDir: first.dataDir })
  while (!journal.isNew(callId('never-seen'))) await journal.stateCounts()
  for (const name of names('stored', 50)) assert.equal(journal.isNew(callId(name)), false, name)
})
