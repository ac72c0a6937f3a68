/** `voicestream verify`: is everything there, and does it add up? */
import { messageOf } from '../errors.js'
import { databasePath } from '../store/sqlite/files/database.js'
import { rebuildIndexes } from '../store/sqlite/files/rebuilt-indexes.js'
import { SqliteStoredCalls } from '../store/sqlite/reading/sqlite-stored-calls.js'
import { formatBytes, formatCount } from '../terminal/numbers.js'
import { showProgress } from '../terminal/progress.js'
import { renderTable } from '../terminal/table.js'
import { type CheckReport, checkStoredCalls, describeDamage } from './check.js'
import { CommandError, exitCodeOf, exitCodes } from './exit-codes.js'
import { readDataDir, readWords, usage } from './options.js'
import type { World } from './world.js'

export const helpText = `Usage: voicestream verify [FILE | --data-dir DIR] [--json] [--rebuild-index]

Checks a database of calls, read-only (but for --rebuild-index): SQLite’s own integrity check, the write-ahead log, and the account of every
call: its stored packets must match its journal and its snapshot, each packet once. Works beside the running service
and on a backup.

  FILE             a database file, for example a backup
  --data-dir DIR   the folder of the service’s database (VOICESTREAM_DATA_DIR, ./data)
  --json           one JSON document instead of a table
  --rebuild-index  first rebuild every index from the rows, and the words of the search from the transcripts; only
                   while the service is stopped: it writes to the file. Copy the folder before
  --help, -h       show this

Missing packets (lost on the way to the service) are counted; they are not damage.

Exit codes: 0 good, 1 damaged, 64 wrong usage, 66 no such database, 74 cannot be read, 78 bad configuration.

Examples
  voicestream verify
  voicestream verify --data-dir /var/lib/voicestream
  voicestream verify /backup/voicestream-2026-11-22.db --json
  voicestream verify --rebuild-index
`

const flags = {
  'data-dir': { type: 'string' },
  json: { type: 'boolean', default: false },
  'rebuild-index': { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const

export async function verify(words: readonly string[], world: World): Promise<number> {
  const { values, positionals } = readWords(words, flags)
  const { terminal } = world
  if (values.help) {
    terminal.out.write(helpText)
    return exitCodes.ok
  }
  const [file, ...more] = positionals
  if (more.length > 0) throw usage('give only one FILE')
  if (file !== undefined && values['data-dir'] !== undefined) throw usage('give either FILE or --data-dir')
  const path = file ?? databasePath(readDataDir(values['data-dir'], world))
  if (values['rebuild-index']) rebuild(path)
  const report = await checkFile(path, world)
  terminal.out.write(values.json ? `${JSON.stringify(report)}\n` : renderReport(report))
  return report.good ? exitCodes.ok : exitCodes.failed
}

function rebuild(path: string): void {
  try {
    rebuildIndexes(path)
  } catch (error) {
    if (exitCodeOf(error) !== null) throw error
    throw new CommandError(exitCodes.io, messageOf(error), error)
  }
}

/** Throws `NoStoredCalls` and `StoredDamage`. */
export async function checkFile(path: string, { terminal }: World): Promise<CheckReport> {
  const stored = SqliteStoredCalls.open(path)
  let checked = 0
  const stopProgress = terminal.canMove
    ? showProgress(terminal, { label: 'verified', total: stored.callCount(), count: () => checked })
    : () => {}
  try {
    return await checkStoredCalls(stored, (calls) => {
      checked = calls
    })
  } finally {
    stopProgress()
    stored.close()
  }
}

function renderReport(report: CheckReport): string {
  const table = renderTable(
    [
      { head: 'state', align: 'left' },
      ...['calls', 'packets', 'missing', 'with gaps', 'damaged'].map((head) => ({
        head,
        align: 'right' as const,
      })),
    ],
    [...report.states, { ...report, state: 'total' }].map((row) => [
      row.state,
      ...[row.calls, row.packets, row.missing, row.calls_with_gaps, row.damaged_calls].map(formatCount),
    ]),
  )
  const gaps = report.largest_gaps.map(({ call_id, missing }) => `${call_id} ${formatCount(missing)}`)
  return [
    `${report.path}: ${formatBytes(report.bytes)}, schema version ${report.schema_version}`,
    table,
    ...(gaps.length > 0 ? [`most missing: ${gaps.join(', ')}`] : []),
    ...describeDamage(report),
    report.good
      ? 'good: the file is intact, and the account of every call is correct'
      : `damaged: calls ${formatCount(report.damaged_calls)}, faults of the file ${report.faults.length}`,
    '',
  ].join('\n')
}
