import { MemoryJournal } from '../../src/store/memory-journal.js'
import { journalContract, type OpenJournal } from './journal-contract.js'
import { readerContract } from './reader-contract.js'

const open: OpenJournal = async () => {
  const journal = new MemoryJournal()
  return {
    journal,
    failing: async (work) => {
      const done = work()
      journal.fail()
      await done
    },
  }
}

journalContract('the journal in memory', open)
readerContract('the journal in memory', open)
