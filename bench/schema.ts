/**
 * Which layout of the packets costs least a packet, in CPU time and in bytes written?
 *
 * Each variant commits the same stream: `batch` packets a commit, calls interleaved (packet i belongs to call
 * i mod calls), 216 bytes of data, `synchronous=FULL`. It reports the median of alternating rounds.
 *
 *   node build/bench/schema.js [--calls 1024] [--packets 65536] [--rounds 5]
 *
 * - indexed: a row a packet with UNIQUE(call_key, sequence)
 * - rows:    a row a packet without an index (a lower bound for anything that keeps rows; cannot be read by call)
 * - the others: the batch is one row of a journal; the packets of a call are folded when 64 of them are pending, in the
 *   transaction of a later batch, and a journal row goes when all of it is folded. They are folded
 *   - runs:             into one row of `runs`, which may overlap with others
 *   - disjoint:         the same, and the database refuses one that overlaps: what the store does
 *   - rows when folded: into a row a packet with UNIQUE(call_key, sequence) and a checksum
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { crc32 } from 'node:zlib'
import Database from 'better-sqlite3'

const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '1024' },
    packets: { type: 'string', default: '65536' },
    rounds: { type: 'string', default: '5' },
  },
})
const calls = Number(values.calls)
const packets = Number(values.packets)
const rounds = Number(values.rounds)
const data = Buffer.alloc(216, 'x')
const recordBytes = 28 + data.length
const runPackets = 64

type Variant = (db: Database.Database) => { commit(first: number, count: number): void }

const indexed: Variant = (db) => {
  db.exec(`CREATE TABLE packets(call_key INTEGER NOT NULL, sequence INTEGER NOT NULL, timestamp REAL NOT NULL,
    received_at REAL NOT NULL, data BLOB NOT NULL, UNIQUE(call_key, sequence)) STRICT`)
  return rowWriter(db)
}

const rows: Variant = (db) => {
  db.exec(`CREATE TABLE packets(call_key INTEGER NOT NULL, sequence INTEGER NOT NULL, timestamp REAL NOT NULL,
    received_at REAL NOT NULL, data BLOB NOT NULL) STRICT`)
  return rowWriter(db)
}

function rowWriter(db: Database.Database) {
  const insert = db.prepare('INSERT INTO packets VALUES (?, ?, ?, ?, ?)')
  const commit = db.transaction((first: number, count: number) => {
    for (let i = first; i < first + count; i++)
      insert.run(i % calls, Math.floor(i / calls), 1e9 + i, 1e12 + i, data)
  })
  return { commit }
}

/** Where a fold puts the records of a call, in the order of their sequences. */
type Sink = (db: Database.Database) => (call: number, first: number, records: Buffer, count: number) => void

const runColumns = `key INTEGER PRIMARY KEY, call_key INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
  version INTEGER NOT NULL, checksum INTEGER NOT NULL, packets BLOB NOT NULL`

function runSink(db: Database.Database): ReturnType<Sink> {
  const insert = db.prepare(
    'INSERT INTO runs(call_key, first, last, version, checksum, packets) VALUES (?, ?, ?, ?, ?, ?)',
  )
  return (call, first, records, count) =>
    insert.run(call, first, first + count - 1, first + count, crc32(records), records)
}

const runs: Sink = (db) => {
  db.exec(
    `CREATE TABLE runs(${runColumns}) STRICT; CREATE INDEX runs_by_call ON runs(call_key, version, first, last)`,
  )
  return runSink(db)
}

const disjoint: Sink = (db) => {
  db.exec(`CREATE TABLE runs(${runColumns}, UNIQUE (call_key, first)) STRICT;
    CREATE INDEX runs_by_version ON runs(call_key, version);
    CREATE TRIGGER once BEFORE INSERT ON runs WHEN NEW.first <= (SELECT last FROM runs
      WHERE call_key = NEW.call_key AND first <= NEW.last ORDER BY first DESC LIMIT 1)
    BEGIN SELECT RAISE(ABORT, 'stored already'); END`)
  return runSink(db)
}

const rowsAtOnce = 32
const rowsWhenFolded: Sink = (db) => {
  db.exec(`CREATE TABLE packets(call_key INTEGER NOT NULL, sequence INTEGER NOT NULL, version INTEGER NOT NULL,
    timestamp REAL NOT NULL, received_at REAL NOT NULL, checksum INTEGER NOT NULL, data BLOB NOT NULL,
    UNIQUE(call_key, sequence)) STRICT`)
  const insertOf = (rows: number) =>
    db.prepare(
      `INSERT INTO packets VALUES ${Array.from({ length: rows }, () => '(?, ?, ?, ?, ?, ?, ?)').join()}`,
    )
  const insertMany = insertOf(rowsAtOnce)
  const insertOne = insertOf(1)
  return (call, _first, records, count) => {
    for (let first = 0; first < count; ) {
      const rows = first + rowsAtOnce <= count ? rowsAtOnce : 1
      const fields: unknown[] = []
      for (let at = first * recordBytes; at < (first + rows) * recordBytes; at += recordBytes) {
        const record = records.subarray(at, at + recordBytes)
        const sequence = record.readUInt32LE(4)
        fields.push(call, sequence, sequence + 1, record.readDoubleLE(8), record.readDoubleLE(16))
        fields.push(crc32(record), record.subarray(28))
      }
      const insert = rows === 1 ? insertOne : insertMany
      insert.run(fields)
      first += rows
    }
  }
}

const folded =
  (sink: Sink): Variant =>
  (db) => {
    db.exec('CREATE TABLE journal("offset" INTEGER PRIMARY KEY, batch BLOB NOT NULL) STRICT')
    const addRun = sink(db)
    const insertBatch = db.prepare('INSERT INTO journal VALUES (?, ?)')
    const deleteBatch = db.prepare('DELETE FROM journal WHERE "offset" = ?')
    let offset = 0
    const pending = new Map<number, { batch: Buffer; offset: number; at: number }[]>()
    const live = new Map<number, number>()
    const due: number[] = []
    const fold = (call: number) => {
      const records = pending.get(call) ?? []
      pending.delete(call)
      const run = Buffer.allocUnsafe(records.length * recordBytes)
      for (const [i, record] of records.entries()) {
        record.batch.copy(run, i * recordBytes, record.at, record.at + recordBytes)
        const left = (live.get(record.offset) ?? 0) - 1
        if (left === 0) {
          live.delete(record.offset)
          deleteBatch.run(record.offset)
        } else live.set(record.offset, left)
      }
      addRun(call, run.readUInt32LE(4), run, records.length)
    }
    const commit = db.transaction((first: number, count: number) => {
      const batch = Buffer.allocUnsafe(count * recordBytes)
      offset++
      live.set(offset, count)
      for (let i = 0; i < count; i++) {
        const call = (first + i) % calls
        const at = i * recordBytes
        batch.writeUInt32LE(call, at)
        batch.writeUInt32LE(Math.floor((first + i) / calls), at + 4)
        batch.writeDoubleLE(1e9 + i, at + 8)
        batch.writeDoubleLE(1e12 + i, at + 16)
        batch.writeUInt32LE(data.length, at + 24)
        data.copy(batch, at + 28)
        let records = pending.get(call)
        if (records === undefined) {
          records = []
          pending.set(call, records)
        }
        records.push({ batch, offset, at })
        if (records.length === runPackets) due.push(call)
      }
      insertBatch.run(offset, batch)
      for (let left = 8 + Math.ceil(count / 16); left > 0 && due.length > 0; left--)
        fold(due.shift() as number)
    })
    return { commit }
  }

const variants: Record<string, Variant> = {
  indexed,
  rows,
  runs: folded(runs),
  disjoint: folded(disjoint),
  'rows when folded': folded(rowsWhenFolded),
}

function bytesWritten(): number {
  return Number(/^write_bytes: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1])
}

function round(variant: Variant, batch: number) {
  const folder = mkdtempSync(join(process.env['BENCH_DIR'] ?? tmpdir(), 'schema-'))
  const db = new Database(join(folder, 'bench.db'))
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = FULL')
  db.pragma('wal_autocheckpoint = 16384')
  const writer = variant(db)
  const wroteBefore = bytesWritten()
  const cpuBefore = process.cpuUsage()
  const startedAt = performance.now()
  const commits: number[] = []
  for (let first = 0; first < packets; first += batch) {
    const before = performance.now()
    writer.commit(first, Math.min(batch, packets - first))
    commits.push(performance.now() - before)
  }
  const cpu = process.cpuUsage(cpuBefore)
  const elapsedMs = performance.now() - startedAt
  db.close()
  const bytes = bytesWritten() - wroteBefore
  rmSync(folder, { recursive: true })
  commits.sort((a, b) => a - b)
  const quantile = (q: number) => commits[Math.floor(q * (commits.length - 1))] ?? 0
  return {
    cpuMicros: (cpu.user + cpu.system) / packets,
    wallMicros: (elapsedMs * 1000) / packets,
    bytes: bytes / packets,
    p50: quantile(0.5),
    p99: quantile(0.99),
  }
}

const median = (numbers: number[]) => numbers.sort((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN

for (const batch of [32, 128, 256]) {
  const results = new Map(Object.keys(variants).map((name) => [name, [] as ReturnType<typeof round>[]]))
  for (let i = 0; i < rounds; i++)
    for (const [name, variant] of Object.entries(variants)) results.get(name)?.push(round(variant, batch))
  for (const [name, list] of results) {
    const of = (key: keyof ReturnType<typeof round>) => median(list.map((r) => r[key])).toFixed(2)
    console.log(
      `batch ${batch} ${name.padEnd(16)} cpu ${of('cpuMicros')} µs  wall ${of('wallMicros')} µs  ${of('bytes')} bytes written a packet  commit p50 ${of('p50')} ms p99 ${of('p99')} ms`,
    )
  }
}
