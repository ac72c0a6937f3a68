/** Writes a file whole or not at all: under another name first, which is taken away again where it cannot be finished. */
import { randomBytes } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { CommandError, exitCodes } from './exit-codes.js'
import { assertNotLive, companions } from './live-files.js'
import type { World } from './world.js'

interface NewFile {
  readonly path: string
  /** Whether a file that is there is replaced. */
  readonly force: boolean
  /** The database that is read, whose files are never replaced. */
  readonly database: string
}

/** `fill` gets the name under which the file is to be created and synced. A signal takes it away and ends the process. */
export async function writeNewFile<Result>(
  { path, force, database }: NewFile,
  world: World,
  fill: (temporary: string) => Promise<Result>,
): Promise<Result> {
  assertNotLive(path, database)
  assertFree(path, force)
  const temporary = `${path}.${randomBytes(4).toString('hex')}.partial`
  const remove = () => {
    for (const suffix of companions) rmSync(temporary + suffix, { force: true })
  }
  const giveBack = (['SIGINT', 'SIGTERM', 'SIGHUP'] as const).map((signal) =>
    world.onSignal(signal, () => {
      remove()
      world.endBy(signal)
    }),
  )
  try {
    const result = await fill(temporary)
    assertNotLive(path, database)
    assertFree(path, force)
    renameSync(temporary, path)
    syncFolder(dirname(path))
    return result
  } catch (error) {
    remove()
    throw error
  } finally {
    for (const give of giveBack) give()
  }
}

function assertFree(path: string, force: boolean): void {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found !== undefined && !found.isFile())
    throw new CommandError(exitCodes.usage, `${path} is not a file; choose another path`)
  if (!force && existsSync(path))
    throw new CommandError(exitCodes.exists, `${path} already exists; --force replaces it`)
}

/** The new name is durable once its folder is. */
function syncFolder(path: string): void {
  const folder = openSync(path, 'r')
  fsyncSync(folder)
  closeSync(folder)
}
