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
 * - runs:    the batch is one row of a journal; the packets of a call are folded into one row of `runs` when 64 of
 *            them are pending, in the transaction of a later batch, and a journal row goes when all of it is folded
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
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

const runs: Variant = (db) => {
  db.exec(`CREATE TABLE journal("offset" INTEGER PRIMARY KEY, batch BLOB NOT NULL) STRICT;
    CREATE TABLE runs(key INTEGER PRIMARY KEY, call_key INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
      packets BLOB NOT NULL) STRICT;
    CREATE INDEX runs_by_call ON runs(call_key, first, last)`)
  const insertBatch = db.prepare('INSERT INTO journal VALUES (?, ?)')
  const deleteBatch = db.prepare('DELETE FROM journal WHERE "offset" = ?')
  const insertRun = db.prepare('INSERT INTO runs(call_key, first, last, packets) VALUES (?, ?, ?, ?)')
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
    insertRun.run(call, 0, records.length, run)
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
    for (let left = 8 + Math.ceil(count / 16); left > 0 && due.length > 0; left--) fold(due.shift() as number)
  })
  return { commit }
}

const variants: Record<string, Variant> = { indexed, rows, runs }

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
      `batch ${batch} ${name.padEnd(8)} cpu ${of('cpuMicros')} µs  wall ${of('wallMicros')} µs  ${of('bytes')} bytes written a packet  commit p50 ${of('p50')} ms p99 ${of('p99')} ms`,
    )
  }
}
