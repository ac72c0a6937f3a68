import { HeldJournal } from '../support/held-journal.js'
import { erasureContract } from './erasure-contract.js'
import { journalContract, type OpenJournal } from './journal-contract.js'
import { readerContract } from './reader-contract.js'
import { searchContract } from './search-contract.js'

const open: OpenJournal = async () => {
  const journal = new HeldJournal()
  return {
    journal,
    failing: async (work) => {
      journal.failures = Number.POSITIVE_INFINITY
      await work()
      journal.failures = 0
    },
  }
}

journalContract('the journal in memory', open)
readerContract('the journal in memory', open)
erasureContract('the journal in memory', open)
searchContract('the journal in memory', open)
