/**
 * What a thread may have of the processor while others want it too. Linux schedules threads, not processes, so a thread that
 * reads lists and transcripts, or listens to what is said, gets what ingest leaves of a busy core (V11). Elsewhere the thread stays as it is.
 */
import { readlinkSync } from 'node:fs'
import { constants, getPriority, setPriority } from 'node:os'
import { basename } from 'node:path'

/** About a third of what another thread gets while both want a core, and next to nothing. */
const nicer = { reader: 5, idle: 19 } as const

export function yieldToOthers(as: keyof typeof nicer): void {
  if (process.platform !== 'linux') return
  try {
    // A worker thread can learn its kernel's id in this way only.
    const thread = Number(basename(readlinkSync('/proc/thread-self')))
    setPriority(thread, Math.min(getPriority() + nicer[as], constants.priority.PRIORITY_LOW))
  } catch {
    // Without /proc, or where a sandbox forbids it: the thread is as urgent as before.
  }
}
