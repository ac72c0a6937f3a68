/** The files of a service's database, which no command may write over: what was acknowledged since would be lost. */
import { lstatSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { databasePath } from '../store/sqlite/files/database.js'
import { isInstanceRunning, lockPath } from '../store/sqlite/files/instance-lock.js'
import { CommandError, exitCodes } from './exit-codes.js'

/** What SQLite may put beside a database while it writes it, and the database itself. */
export const companions = ['', '-journal', '-wal', '-shm']

/**
 * Looks before anything is opened for writing. Files are compared by device and inode, because one file has many names:
 * links of both kinds, mounts, `..`. A name that is still free is refused where a database would look for it: the
 * service's own folder, and any other that an instance uses. Throws a `CommandError`.
 */
export function assertNotLive(path: string, database: string): void {
  // Where the file lies that SQLite opens, its log lies too.
  const folders = [dirname(database), dirname(realpathSync(database))]
  const files = folders.flatMap((folder) => [
    ...companions.map((suffix) => join(folder, basename(realpathSync(database)) + suffix)),
    ...namesIn(folder),
  ])
  const live = new Set([database, ...files].flatMap(identitiesOf))
  const folder = realpathSync(dirname(path))
  const isOneOfThem = identitiesOf(path).some((identity) => live.has(identity))
  if (isOneOfThem || isTakenName(basename(path), folder, folders, files))
    throw new CommandError(
      exitCodes.usage,
      `${path} is a file of a service’s database, or has the name of one; choose another path`,
    )
}

function isTakenName(
  name: string,
  folder: string,
  folders: readonly string[],
  files: readonly string[],
): boolean {
  const [own] = identitiesOf(folder)
  const isOwnFolder = folders.some((other) => identitiesOf(other)[0] === own)
  // On some file systems capitals make no difference.
  const isNameOf = (path: string) => basename(path).toLowerCase() === name.toLowerCase()
  if (isOwnFolder && files.some(isNameOf)) return true
  return namesIn(folder).some(isNameOf) && isInstanceRunning(folder)
}

function namesIn(folder: string): readonly string[] {
  return [databasePath(folder), lockPath(folder)].flatMap((path) => companions.map((suffix) => path + suffix))
}

/** Of the file behind a name, and of a link that has the name. */
function identitiesOf(path: string): readonly string[] {
  return [lstatSync, statSync].flatMap((look) => {
    const found = look(path, { bigint: true, throwIfNoEntry: false })
    return found === undefined ? [] : [`${found.dev}:${found.ino}`]
  })
}
