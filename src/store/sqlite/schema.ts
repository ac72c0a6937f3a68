/**
 * The tables, and how a database of any age is brought to them.
 *
 * Packets are stored twice in their life, both times in bulk. A commit appends its packets as one row of `journal`
 * (the tail); when enough packets of one call are pending there, they are folded into one row of `runs` in the
 * transaction of a later commit, and a journal row goes when all of it has been folded. With 1,000,000 packets stored
 * and 1,024 calls interleaved this costs a third of the CPU time and a fifth of the bytes of an indexed row a packet
 * (`bench/schema.ts`): there each call's index leaf is a page of its own, written again with every packet.
 */
import type Database from 'better-sqlite3'
import { indexTranscripts } from './call-index.js'

export type Db = Database.Database

const progressMs = 2000

/** "VSTR": tells this file from any other SQLite database. */
export const applicationId = 0x56535452

/** So many calls have been brought forward. */
export type Progress = (calls: number, total: number) => void

interface Migration {
  readonly sql: string
  readonly fill?: (db: Db, progress: Progress) => void
}

/** One step a version; a database of any older version is brought forward step by step. Never edit a released step. */
const migrations: readonly Migration[] = [
  {
    sql: `CREATE TABLE calls(
     key INTEGER PRIMARY KEY,
     call_id TEXT NOT NULL UNIQUE,
     version INTEGER NOT NULL,
     state TEXT NOT NULL,
     created_at INTEGER NOT NULL,
     due_at INTEGER,
     is_settled INTEGER NOT NULL CHECK (is_settled IN (0, 1)),
     snapshot TEXT NOT NULL
   ) STRICT;
   CREATE INDEX calls_by_due ON calls(due_at, key) WHERE due_at IS NOT NULL;
   CREATE INDEX calls_by_state ON calls(state, key);
   CREATE TABLE lifecycle(
     call_key INTEGER NOT NULL,
     version INTEGER NOT NULL,
     entry TEXT NOT NULL,
     PRIMARY KEY (call_key, version)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE journal(
     "offset" INTEGER PRIMARY KEY,
     checksum INTEGER NOT NULL,
     records BLOB NOT NULL
   ) STRICT;
   CREATE TABLE runs(
     key INTEGER PRIMARY KEY,
     call_key INTEGER NOT NULL,
     first_sequence INTEGER NOT NULL,
     last_sequence INTEGER NOT NULL,
     last_version INTEGER NOT NULL,
     checksum INTEGER NOT NULL,
     records BLOB NOT NULL
   ) STRICT;
   CREATE INDEX runs_by_call ON runs(call_key, last_version, first_sequence, last_sequence);
   CREATE TABLE run_mark(
     only INTEGER PRIMARY KEY CHECK (only = 1),
     is_open INTEGER NOT NULL CHECK (is_open IN (0, 1))
   ) STRICT;
   INSERT INTO run_mark VALUES (1, 0);`,
  },
  // Calls that were erased while their bytes are still in the files. The keys alone: nothing names them.
  {
    sql: `ALTER TABLE calls ADD COLUMN ended_at INTEGER;
   UPDATE calls SET ended_at = snapshot ->> '$.endedAt' WHERE state IN ('ARCHIVED', 'FAILED');
   CREATE INDEX calls_by_end ON calls(ended_at) WHERE ended_at IS NOT NULL;
   CREATE TABLE erasures(call_key INTEGER PRIMARY KEY) STRICT;`,
  },
  // What calls are found by. The words are an index alone: their text is the lifecycle’s.
  {
    sql: `CREATE TABLE details(
     call_key INTEGER NOT NULL,
     name TEXT NOT NULL,
     value TEXT NOT NULL,
     PRIMARY KEY (call_key, name)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX details_by_value ON details(name, value, call_key);
   CREATE VIEW transcripts AS
     SELECT call_key, entry ->> '$.result.transcription' AS text FROM lifecycle
     WHERE entry ->> '$.type' = 'analysed';
   CREATE VIRTUAL TABLE words USING fts5(
     text, content = 'transcripts', content_rowid = 'call_key', columnsize = 0,
     tokenize = 'unicode61 remove_diacritics 2'
   );`,
    fill: indexTranscripts,
  },
  // Of a long transcript a part is indexed, `limits.indexedCharactersMax`, because commits wait meanwhile. What was
  // indexed whole is taken out whole, while the view still says so; what is short stays to the byte as it was.
  {
    sql: `CREATE TEMP TABLE long_transcripts AS SELECT call_key FROM lifecycle
     WHERE octet_length(entry) > 262144 AND entry ->> '$.type' = 'analysed'
       AND octet_length(entry ->> '$.result.transcription') > 262144;
   INSERT INTO words(words, rowid, text) SELECT 'delete', call_key, text FROM transcripts
     WHERE call_key IN (SELECT call_key FROM long_transcripts);
   DROP VIEW transcripts;
   CREATE VIEW transcripts AS
     SELECT call_key, iif(octet_length(entry ->> '$.result.transcription') > 262144,
       substr(entry ->> '$.result.transcription', 1, 262144), entry ->> '$.result.transcription') AS text
     FROM lifecycle WHERE entry ->> '$.type' = 'analysed';
   INSERT INTO words(rowid, text) SELECT call_key, text FROM transcripts
     WHERE call_key IN (SELECT call_key FROM long_transcripts);
   DROP TABLE long_transcripts;`,
  },
]

export const schemaVersion = migrations.length

export function schemaVersionOf(db: Db): number {
  return db.pragma('user_version', { simple: true }) as number
}

export function migrate(db: Db, progress: Progress): void {
  const telling = atTimes(progress)
  for (let version = schemaVersionOf(db); version < migrations.length; version++)
    db.transaction(() => {
      const { sql, fill } = migrations[version] as Migration
      db.exec(sql)
      fill?.(db, telling)
      db.pragma(`application_id = ${applicationId}`)
      db.pragma(`user_version = ${version + 1}`)
    }).immediate()
}

/** The first one is not told either: most databases are done by then. */
function atTimes(progress: Progress): Progress {
  let toldAt = performance.now()
  return (calls, total) => {
    if (performance.now() - toldAt < progressMs) return
    toldAt = performance.now()
    progress(calls, total)
  }
}
