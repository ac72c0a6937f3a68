/**
 * What calls are found by beside their names: what was said of them, and the words of their transcripts. The writer's side,
 * within the transactions that journal the one and the other; calls without either cost nothing.
 *
 * The words lie in an FTS5 table without content of its own: their text stays in the lifecycle, so what is taken out must
 * be taken out while it is still there. FTS5 only notes then that words are gone; they leave its segments when these are
 * merged. `secure-delete` of FTS5 is no way out (SQLite 3.53): of 1,500 erased texts 34 left their words in the
 * segments' index and 5 in the segments, and each took 10 ms of the writer's time. So after an erasure `scrub` merges all segments
 * into a new one, some pages at a time, and `secure_delete` of the database overwrites the old ones.
 */
import type { Statement } from 'better-sqlite3'
import {
  alertName,
  alertValue,
  type Detail,
  listDetails,
  sentimentName,
} from '../../../protocol/call-details.js'
import type { LifecycleEntry } from '../../journal.js'
import { type Db, rebuildWords } from '../files/schema.js'
import { isCorrupt, isUnreadable } from '../files/sqlite-error.js'
import { type LifecycleTextRow, lifecycleTextColumns, textIn } from '../reading/stored-lifecycle.js'
import { detailChecksum } from '../row-checksum.js'
import type { LifecycleRow } from '../thread-messages.js'

/** 1 MiB: commits wait meanwhile. */
const scrubPages = 256
/** 8 MiB: about a second. */
const wordPagesChecked = 2048

export class CallIndex {
  readonly #db: Db
  readonly #damaged: (damage: unknown) => void
  readonly #transcripts: Statement<[number], LifecycleTextRow>
  readonly #addDetail: Statement
  readonly #removeDetails: Statement
  readonly #removeSaid: Statement
  readonly #removeSentiment: Statement
  readonly #addWords: Statement
  readonly #removeWords: Statement
  readonly #removeOlderWords: Statement
  readonly #merge: Statement
  readonly #wordPages: Statement<[number], number>
  readonly #changes: Statement<[], number>
  /** Words of erased calls may be in the segments: also those that the process before this one has left. */
  #isDirty = true
  #isMerging = false

  constructor(db: Db, damaged: (damage: unknown) => void = () => {}) {
    this.#db = db
    this.#damaged = damaged
    this.#transcripts = db.prepare(
      `SELECT ${lifecycleTextColumns} FROM lifecycle WHERE call_key = ? AND type IN ('analysed', 'heard')`,
    )
    this.#addDetail = db.prepare(
      'INSERT OR IGNORE INTO details(call_key, name, value, checksum) VALUES (:callKey, :name, :value, :checksum)',
    )
    this.#removeDetails = db.prepare('DELETE FROM details WHERE call_key = ?')
    this.#removeSaid = db.prepare(
      "DELETE FROM details WHERE call_key = ? AND name <> ? AND name NOT GLOB 'alert.*'",
    )
    this.#removeSentiment = db.prepare('DELETE FROM details WHERE call_key = ? AND name = ?')
    this.#addWords = db.prepare(
      'INSERT INTO words(rowid, text) SELECT call_key, text FROM transcripts WHERE call_key = ?',
    )
    this.#removeWords = db.prepare(
      "INSERT INTO words(words, rowid, text) SELECT 'delete', call_key, text FROM transcripts WHERE call_key = ?",
    )
    this.#removeOlderWords = db.prepare(
      `INSERT INTO words(words, rowid, text) SELECT 'delete', call_key, text FROM spoken
       WHERE call_key = ? AND version < ? ORDER BY version DESC LIMIT 1`,
    )
    this.#merge = db.prepare("INSERT INTO words(words, rank) VALUES ('merge', ?)")
    this.#wordPages = db
      .prepare<[number], number>('SELECT count(*) FROM (SELECT 1 FROM words_data LIMIT ?)')
      .pluck()
    this.#changes = db.prepare<[], number>('SELECT total_changes()').pluck()
  }

  /**
   * At a start. Words have no checksum, and one that has changed is not found: FTS5 compares them with the transcripts, and where
   * they differ they are made anew. A large index would hold the start for too long, and is left to `verify`. Throws
   * where neither can be done.
   */
  check(): void {
    if (this.#wordPages.get(wordPagesChecked + 1) === wordPagesChecked + 1) return
    try {
      this.#db.exec("INSERT INTO words(words, rank) VALUES ('integrity-check', 1)")
    } catch (error) {
      if (!isCorrupt(error)) throw error
      this.rebuild()
      this.#damaged(new Error('the index of words did not say what the transcripts do, and was made anew'))
    }
  }

  /** Of all transcripts, from what they are now. */
  rebuild(): void {
    this.#db.transaction(() => this.#db.exec(rebuildWords)).immediate()
  }

  /** In the transaction that journals the entry, after it. */
  add({ callKey, version, type, entry }: LifecycleRow): void {
    if (type === 'analysed' || type === 'heard') {
      this.#putWords(callKey, version)
      this.#putSentiment(callKey, type, entry)
    }
    if (type === 'alert-raised') this.#putAlert(callKey, entry)
    if (type !== 'described') return
    // Written by this process in this batch.
    const { details } = JSON.parse(entry) as Extract<LifecycleEntry, { type: 'described' }>
    this.#removeSaid.run(callKey, sentimentName)
    for (const detail of listDetails(details)) this.#put(callKey, detail)
  }

  #put(callKey: number, { name, value }: Detail): void {
    const row = { callKey, name, value }
    this.#addDetail.run({ ...row, checksum: detailChecksum(row) })
  }

  /** Once, however many of its kind there are. */
  #putAlert(callKey: number, entry: string): void {
    const { alert } = JSON.parse(entry) as Extract<LifecycleEntry, { type: 'alert-raised' }>
    this.#put(callKey, { name: alertName(alert.kind), value: alertValue })
  }

  /** Of the last of the two; of words alone nobody knows it. */
  #putSentiment(callKey: number, type: 'analysed' | 'heard', entry: string): void {
    this.#removeSentiment.run(callKey, sentimentName)
    if (type === 'heard') return
    const { digest } = JSON.parse(entry) as Extract<LifecycleEntry, { type: 'analysed' }>
    this.#put(callKey, { name: sentimentName, value: digest.sentiment })
  }

  /** A damaged index costs its finds, not the commit. The next start makes it anew, or `verify --rebuild-index`. */
  #putWords(callKey: number, version: number): void {
    try {
      if (this.#removeOlderWords.run(callKey, version).changes > 0) this.#isDirty = true
      this.#addWords.run(callKey)
    } catch (error) {
      if (!isCorrupt(error)) throw error
      this.#damaged(error)
    }
  }

  /** Words can only be taken out by the text that was put in. Where it has changed, they stay until the index is made anew. */
  #isTextWhole(callKey: number): boolean {
    try {
      for (const row of this.#transcripts.all(callKey)) textIn(row)
      return true
    } catch (error) {
      if (!isUnreadable(error)) throw error
      this.#damaged(error)
      return false
    }
  }

  /** In the transaction that erases the call, before its lifecycle goes. */
  remove(callKey: number): void {
    this.#removeDetails.run(callKey)
    if (!this.#isTextWhole(callKey)) return
    if (this.#removeWords.run(callKey).changes > 0) this.#isDirty = true
  }

  /**
   * Whether nothing is left of what was erased before it began. Otherwise a transaction of some pages was written, and it
   * wants to be called again. What is erased meanwhile waits for the next time.
   */
  scrub(): boolean {
    if (!this.#isDirty && !this.#isMerging) return true
    const before = this.#changes.get() ?? 0
    this.#db.transaction(() => this.#merge.run(this.#isMerging ? scrubPages : -scrubPages)).immediate()
    if (!this.#isMerging) this.#isDirty = false
    // A merge that has nothing to do changes one row (https://www.sqlite.org/fts5.html#the_merge_command).
    this.#isMerging = (this.#changes.get() ?? 0) - before > 1
    return !this.#isMerging
  }
}
