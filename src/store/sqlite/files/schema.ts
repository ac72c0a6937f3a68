/**
 * The tables. There is one layout, and no way from another one to it.
 *
 * Packets are stored twice in their life, both times in bulk. A commit appends its packets as one row of `journal`
 * (the tail); when enough packets of one call are pending there, they are folded into one row of `runs` in the
 * transaction of a later commit, and a journal row goes when all of it has been folded. An indexed row a packet would write
 * each call's leaf of the index again with every commit (`bench/schema.ts`).
 *
 * A run holds the packets from its first to its last ordinal (`protocol/track`: the sequence, and 2³¹ for each track before),
 * none of them missing, and no two runs of a call overlap:
 * `UNIQUE (call_key, first_sequence)` and the triggers refuse a packet that is stored already. The service changes no run.
 */
import Database from 'better-sqlite3'
import { limits } from '../../../limits.js'

export type Db = Database.Database

/** "VSTR": tells this file from any other SQLite database. */
const applicationId = 0x56535452
const schemaVersion = 1

/** A damaged text must not stop those who ask for all of them. */
const transcription = "iif(json_valid(text), text ->> '$.transcription', '')"

/**
 * Entries of an index end with the key of their row; `key` is in none of them a second time, where a byte could change unseen.
 * `calls_by_end`: what retention looks at. `erasures`: calls that were erased while their bytes are still in the files;
 * the keys alone, nothing names them. `details` and `words`: what calls are found by. The words are an index alone,
 * their text is the lifecycle’s. Of a long transcript a part is indexed, because commits wait meanwhile; the view cuts
 * the text, so what an erasure takes out is what was put in.
 */
const tables = `
  CREATE TABLE calls(
    key INTEGER PRIMARY KEY,
    call_id TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    state TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    due_at INTEGER,
    ended_at INTEGER,
    is_settled INTEGER NOT NULL CHECK (is_settled IN (0, 1)),
    snapshot TEXT NOT NULL,
    checksum INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX calls_by_due ON calls(due_at) WHERE due_at IS NOT NULL;
  CREATE INDEX calls_by_state ON calls(state);
  CREATE INDEX calls_by_end ON calls(ended_at) WHERE ended_at IS NOT NULL;
  CREATE TABLE lifecycle(
    call_key INTEGER NOT NULL,
    version INTEGER NOT NULL,
    type TEXT NOT NULL,
    entry TEXT NOT NULL,
    checksum INTEGER NOT NULL,
    text_checksum INTEGER,
    text TEXT,
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
    last_sequence INTEGER NOT NULL CHECK (last_sequence >= first_sequence),
    last_version INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    records BLOB NOT NULL,
    UNIQUE (call_key, first_sequence)
  ) STRICT;
  CREATE INDEX runs_by_version ON runs(call_key, last_version);
  CREATE TRIGGER a_packet_is_stored_once BEFORE INSERT ON runs
  WHEN NEW.first_sequence <= (
    SELECT last_sequence FROM runs WHERE call_key = NEW.call_key AND first_sequence <= NEW.last_sequence
    ORDER BY first_sequence DESC LIMIT 1)
  BEGIN SELECT RAISE(ABORT, 'a packet of the call is stored already'); END;
  CREATE TRIGGER a_packet_stays_stored_once BEFORE UPDATE OF call_key, first_sequence, last_sequence ON runs
  WHEN EXISTS (
    SELECT 1 FROM runs WHERE call_key = NEW.call_key AND key <> OLD.key
      AND first_sequence <= NEW.last_sequence AND last_sequence >= NEW.first_sequence)
  BEGIN SELECT RAISE(ABORT, 'a packet of the call is stored already'); END;
  CREATE TABLE run_mark(
    only INTEGER PRIMARY KEY CHECK (only = 1),
    is_open INTEGER NOT NULL CHECK (is_open IN (0, 1))
  ) STRICT;
  INSERT INTO run_mark VALUES (1, 0);
  CREATE TABLE erasures(call_key INTEGER PRIMARY KEY) STRICT;
  CREATE TABLE details(
    call_key INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (call_key, name)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX details_by_value ON details(name, value, call_key);
  CREATE VIEW spoken AS
    SELECT call_key, version, iif(octet_length(${transcription}) > ${limits.indexedCharactersMax},
      substr(${transcription}, 1, ${limits.indexedCharactersMax}), ${transcription}) AS text
    FROM lifecycle WHERE type IN ('analysed', 'heard');
  CREATE VIEW transcripts AS
    SELECT call_key, text FROM spoken WHERE version = (
      SELECT max(version) FROM lifecycle WHERE lifecycle.call_key = spoken.call_key
        AND type IN ('analysed', 'heard'));
  CREATE VIRTUAL TABLE words USING fts5(
    text, content = 'transcripts', content_rowid = 'call_key', columnsize = 0,
    tokenize = 'unicode61 remove_diacritics 2'
  );`

/** All words that calls are found by, anew from the transcripts. */
export const rebuildWords = "INSERT INTO words(words) VALUES ('rebuild')"

/**
 * SQLite looks for the entries of a row that it deletes, unless the schema may be written. What is left of them in the
 * indexes goes with their making anew: seconds in a million calls, where a row is damaged.
 */
export function deleteWithoutEntries(db: Db, remove: () => unknown): void {
  db.unsafeMode(true)
  db.pragma('writable_schema = ON')
  try {
    remove()
  } finally {
    db.pragma('writable_schema = OFF')
    db.unsafeMode(false)
  }
  db.exec('REINDEX calls')
}

/** In an empty database. */
export function createTables(db: Db): void {
  db.transaction(() => {
    db.exec(tables)
    db.pragma(`application_id = ${applicationId}`)
    db.pragma(`user_version = ${schemaVersion}`)
  }).immediate()
}

export function schemaVersionOf(db: Db): number {
  return db.pragma('user_version', { simple: true }) as number
}

/** Throws, with a message for people, when the database is of another program or has another layout. */
export function assertSchema(db: Db): void {
  const found = layoutOf(db)
  if (found.size === 0) throw new Error('the database has no tables')
  if (db.pragma('application_id', { simple: true }) !== applicationId)
    throw new Error('the database file belongs to another program')
  const version = schemaVersionOf(db)
  if (version !== schemaVersion)
    throw new Error(
      `the database has schema version ${version}, and this program supports only ${schemaVersion}`,
    )
  for (const [name, sql] of expectedLayout())
    if (found.get(name) !== sql)
      throw new Error(
        `the database does not have the layout of this program: ${name} ${found.has(name) ? 'differs' : 'is missing'}`,
      )
}

function layoutOf(db: Db): ReadonlyMap<string, string | null> {
  const objects = db.prepare<[], { name: string; sql: string | null }>('SELECT name, sql FROM sqlite_schema')
  return new Map(objects.all().map(({ name, sql }) => [name, sql]))
}

function expectedLayout(): ReadonlyMap<string, string | null> {
  const db = new Database(':memory:')
  try {
    createTables(db)
    return layoutOf(db)
  } finally {
    db.close()
  }
}
