/** What a process takes of the machine's memory, as the kernel counts it. */
import { readFileSync, writeFileSync } from 'node:fs'

export interface Resident {
  readonly bytes: number
  /** The most since `forgetPeak`, or since the start. */
  readonly peakBytes: number
}

export function residentOf(pid: number): Resident {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return { bytes: kibibytes(status, 'VmRSS') * 1024, peakBytes: kibibytes(status, 'VmHWM') * 1024 }
}

function kibibytes(status: string, name: string): number {
  const found = new RegExp(`^${name}:\\s*(\\d+) kB$`, 'm').exec(status)?.[1]
  if (found === undefined) throw new Error(`/proc has no ${name}`)
  return Number(found)
}

/** proc(5): 5 resets the peak to what is resident now. */
export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
}

export function mebibytes(bytes: number): number {
  return Math.round(bytes / 1024 / 1024)
}
