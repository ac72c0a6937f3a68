/** The data folder is for its owner alone: what people say on the phone lies in it. */
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { codeOf } from '../../../errors.js'

const othersMayWrite = 0o002
const notForOwner = 0o077

/** Makes the folder, or takes away what others may do in it. Throws, with a message for people, when others may write. */
export function prepareDataFolder(path: string): void {
  makeFolder(path)
  const { mode } = statSync(path)
  // Whoever may write could have put a database there, and may put a log beside ours.
  if ((mode & othersMayWrite) !== 0)
    throw new Error(`everybody can write to the data folder ${path}; run chmod 700, or choose another folder`)
  tighten(path)
  for (const name of readdirSync(path)) if (name.startsWith('voicestream.')) tighten(join(path, name))
}

/** Level by level, because Node's recursive `mkdir` never returns where the parent is there and takes no folder (/proc). */
function makeFolder(path: string): void {
  if (existsSync(path)) return
  makeFolder(dirname(path))
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (cause) {
    const code = codeOf(cause)
    // Another process may have made it meanwhile.
    if (code !== 'EEXIST') throw new Error(`cannot create the data folder ${path} (${code})`, { cause })
  }
}

function tighten(path: string): void {
  // SQLite may take a file away meanwhile.
  const mode = (statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o7777
  if ((mode & notForOwner) === 0) return
  try {
    chmodSync(path, mode & ~notForOwner)
  } catch (error) {
    // A volume may belong to somebody else and let us in by our group: its owner decides who else may read.
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) throw error
  }
}
