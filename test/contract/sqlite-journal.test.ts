import { openJournal, whileLocked } from '../support/sqlite.js'
import { erasureContract } from './erasure-contract.js'
import { journalContract, type OpenJournal } from './journal-contract.js'
import { readerContract } from './reader-contract.js'
import { searchContract } from './search-contract.js'

const open: OpenJournal = async (t) => {
  const { journal, dataDir } = await openJournal(t)
  return { journal, failing: (work) => whileLocked(dataDir, work) }
}

journalContract('the journal on SQLite', open)
readerContract('the journal on SQLite', open)
erasureContract('the journal on SQLite', open)
searchContract('the journal on SQLite', open)
