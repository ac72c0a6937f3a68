/** `voicestream backup`: a copy of the database while the service runs, checked before it gets its name. */
import { existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { databasePath } from '../store/sqlite/files/database.js'
import { copyDatabase } from '../store/sqlite/files/database-copy.js'
import { withFullDiskNamed } from '../store/sqlite/files/free-space.js'
import { SqliteStoredCalls } from '../store/sqlite/reading/sqlite-stored-calls.js'
import { formatBytes, formatCount, formatSeconds } from '../terminal/numbers.js'
import { showProgress } from '../terminal/progress.js'
import { describeDamage } from './check.js'
import { CommandError, exitCodes } from './exit-codes.js'
import { assertNotLive } from './live-files.js'
import { writeNewFile } from './new-file.js'
import { readDataDir, readWords, usage } from './options.js'
import { checkFile } from './verify.js'
import type { World } from './world.js'

export const helpText = `Usage: voicestream backup FILE [--data-dir DIR] [--force]

Copies the database into one FILE (mode 0600) from which a service can start. The service may run and write meanwhile: the
copy has the state at the begin of the backup, including everything acknowledged before. The copy is verified as by
“voicestream verify” before it gets its name.

  FILE             the copy; it must not exist
  --data-dir DIR   the folder of the service’s database (VOICESTREAM_DATA_DIR, ./data)
  --force          replace FILE when the new backup is complete; never a file of a service’s database, never a device
  --help, -h       show this

To restore, stop the service, put FILE as voicestream.db into an empty DATA_DIR, and start it.
The write-ahead log of the service grows during the copy and shrinks afterwards.

Exit codes: 0 done, 1 the database or its copy is damaged, 64 wrong usage, 66 no such database, 73 FILE already exists,
74 cannot be read or written, 78 bad configuration. Ctrl-C and SIGTERM leave nothing behind.

Examples
  voicestream backup /backup/voicestream-$(date +%F).db
  voicestream backup --data-dir /var/lib/voicestream --force /backup/latest.db
`

const flags = {
  'data-dir': { type: 'string' },
  force: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const

export async function backup(words: readonly string[], world: World): Promise<number> {
  const { values, positionals } = readWords(words, flags)
  const { terminal } = world
  if (values.help) {
    terminal.out.write(helpText)
    return exitCodes.ok
  }
  const [path, ...more] = positionals
  if (path === undefined || more.length > 0) throw usage('give one FILE to write')
  const source = databasePath(readDataDir(values['data-dir'], world))
  assertNothingLost(source)
  assertNotLive(path, source)
  assertNoLogBeside(path)
  const summary = await writeNewFile({ path, force: values.force, database: source }, world, (temporary) =>
    copyAndCheck(source, temporary, world),
  )
  terminal.out.write(`${path}: ${summary}\n`)
  return exitCodes.ok
}

/** SQLite would take the log of another database for that of the copy. */
function assertNoLogBeside(path: string): void {
  const log = ['-wal', '-journal'].map((suffix) => path + suffix).find((name) => existsSync(name))
  if (log !== undefined)
    throw new CommandError(
      exitCodes.exists,
      `${log} is the log of another database, which would be read with the copy; move both away, or choose another path`,
    )
}

/** A backup of what a start would refuse hides the loss until somebody needs it. */
function assertNothingLost(source: string): void {
  const stored = SqliteStoredCalls.open(source)
  try {
    const faults = stored.logFaults()
    if (faults.length > 0) throw new CommandError(exitCodes.failed, `no copy was made: ${faults.join('; ')}`)
  } finally {
    stored.close()
  }
}

async function copyAndCheck(source: string, temporary: string, world: World): Promise<string> {
  const beganAt = performance.now()
  await copy(source, temporary, world)
  const copiedAt = performance.now()
  const report = await checkFile(temporary, world)
  if (!report.good)
    throw new CommandError(
      exitCodes.failed,
      ['the source is damaged, and so is the copy; the copy was deleted', ...describeDamage(report)].join(
        '\n',
      ),
    )
  const { size } = statSync(temporary)
  return [
    `${formatBytes(size)}, ${formatCount(report.calls)} calls, ${formatCount(report.packets)} packets`,
    `copied in ${formatSeconds(copiedAt - beganAt)}, verified in ${formatSeconds(performance.now() - copiedAt)}`,
  ].join('; ')
}

async function copy(source: string, temporary: string, { terminal }: World): Promise<void> {
  let copied = 0
  let stopProgress = () => {}
  let isShown = !terminal.canMove
  try {
    await copyDatabase(source, temporary, ({ pages, pagesLeft }) => {
      copied = pages - pagesLeft
      if (isShown) return
      isShown = true
      stopProgress = showProgress(terminal, { label: 'copied', total: pages, count: () => copied })
    })
  } catch (error) {
    throw await withFullDiskNamed(error, dirname(temporary))
  } finally {
    stopProgress()
  }
}
