/** A journal on real files in a folder of its own, which is closed and removed when the test is over. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import Database from 'better-sqlite3'
import { SqliteJournal, type SqliteJournalOptions } from '../../src/store/sqlite/sqlite-journal.js'
import { atEnd } from './cleanup.js'
import { temporaryFolder } from './service.js'

export interface OpenedJournal {
  readonly journal: SqliteJournal
  readonly dataDir: string
  readonly fatal: Error[]
}

export const fileOf = (dataDir: string) => join(dataDir, 'voicestream.db')

export async function openJournal(
  t: TestContext,
  options: Partial<SqliteJournalOptions> = {},
): Promise<OpenedJournal> {
  const dataDir = options.dataDir ?? temporaryFolder(t)
  const fatal: Error[] = []
  const journal = await SqliteJournal.open({
    now: 1_700_000_000_000,
    dueWithin: {},
    onFatal: (error) => fatal.push(error),
    ...options,
    dataDir,
  })
  atEnd(t, () => close(journal))
  return { journal, dataDir, fatal }
}

const closed = new WeakMap<SqliteJournal, Promise<void>>()

/** Closing twice is closing once, so a test may close what its cleanup closes too. */
export function close(journal: SqliteJournal): Promise<void> {
  const running = closed.get(journal) ?? journal.close()
  closed.set(journal, running)
  return running
}

/** While `work` is under way another connection holds the write lock, so that no commit succeeds. */
export async function whileLocked(dataDir: string, work: () => Promise<unknown>): Promise<void> {
  const holder = new Database(fileOf(dataDir))
  try {
    holder.exec('BEGIN IMMEDIATE')
    await work()
  } finally {
    holder.close()
  }
}

/** Changes the file of a closed journal. */
export function change(dataDir: string, work: (db: Database.Database) => unknown): void {
  const db = new Database(fileOf(dataDir))
  try {
    work(db)
  } finally {
    db.close()
  }
}

/** Looks into the file of a journal, open or closed, without changing it. */
export function inspect<T>(dataDir: string, look: (db: Database.Database) => T): T {
  const db = new Database(fileOf(dataDir), { readonly: true })
  try {
    return look(db)
  } finally {
    db.close()
  }
}

/** In the pages of one table or index alone: the same text stands in others, too. */
export function changeIn(dataDir: string, tree: string, text: string, to: string): void {
  const content = readFileSync(fileOf(dataDir))
  const pages = inspect(dataDir, (db) =>
    db.prepare<[string], number>('SELECT pageno FROM dbstat WHERE name = ?').pluck().all(tree),
  )
  for (const page of pages) {
    const at = content.indexOf(text, (page - 1) * 4096)
    if (at < 0 || at >= page * 4096) continue
    content.write(to, at)
    writeFileSync(fileOf(dataDir), content)
    return
  }
  assert.fail(`${text} is not in ${tree}`)
}
