/**
 * What the kernel counts of a process: CPU time of each thread, bytes written, resident memory, its file systems.
 * Linux only, like the load generators.
 */
import { readdirSync, readFileSync } from 'node:fs'

interface ThreadUse {
  readonly cpuMicros: number
  /** Bytes handed to write calls: tells which thread is the journal's writer, because node names them all alike. */
  readonly wroteBytes: number
}

export interface ProcessUse {
  readonly pid: number
  readonly threads: ReadonlyMap<number, ThreadUse>
  /** Bytes that the kernel was made to send to the disk, rewritten pages included. */
  readonly diskBytes: number
}

export interface UseBetween {
  readonly mainMicros: number
  readonly writerMicros: number
  /** Garbage collection and compilation threads, the reader thread. */
  readonly otherMicros: number
  readonly diskBytes: number
}

/** Time on a CPU in nanoseconds; where the kernel keeps no such figure, ticks of 10 ms. */
function threadCpuMicros(task: string): number {
  const [runNanos = '0'] = readIfThere(`${task}/schedstat`).split(' ')
  if (Number(runNanos) > 0) return Number(runNanos) / 1000
  // The second field is a name in brackets, which may hold spaces.
  const fields = readIfThere(`${task}/stat`)
    .replace(/^.*\) /s, '')
    .split(' ')
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * 10_000
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // A thread may end between the listing and the look; what it used is lost to the count.
    return ''
  }
}

function fieldOf(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0)
}

export function processUse(pid: number): ProcessUse {
  const threads = new Map<number, ThreadUse>()
  for (const id of readdirSync(`/proc/${pid}/task`)) {
    const task = `/proc/${pid}/task/${id}`
    threads.set(Number(id), {
      cpuMicros: threadCpuMicros(task),
      wroteBytes: fieldOf(readIfThere(`${task}/io`), 'wchar'),
    })
  }
  return { pid, threads, diskBytes: fieldOf(readIfThere(`/proc/${pid}/io`), 'write_bytes') }
}

export function useBetween(before: ProcessUse, after: ProcessUse): UseBetween {
  let mainMicros = 0
  let writer = { cpuMicros: 0, wroteBytes: 0 }
  let totalMicros = 0
  for (const [id, now] of after.threads) {
    const then = before.threads.get(id)
    const cpuMicros = now.cpuMicros - (then?.cpuMicros ?? 0)
    const wroteBytes = now.wroteBytes - (then?.wroteBytes ?? 0)
    totalMicros += cpuMicros
    if (id === after.pid) mainMicros = cpuMicros
    else if (wroteBytes > writer.wroteBytes) writer = { cpuMicros, wroteBytes }
  }
  return {
    mainMicros,
    writerMicros: writer.cpuMicros,
    otherMicros: totalMicros - mainMicros - writer.cpuMicros,
    diskBytes: after.diskBytes - before.diskBytes,
  }
}

export function residentMib(pid: number): number {
  return fieldOf(readFileSync(`/proc/${pid}/status`, 'utf8'), 'VmRSS') / 1024
}

/** The type of the file system that holds `path`, by the longest mount point that it lies under. */
export function fileSystemOf(path: string, mounts: string): string {
  let found = { point: '', type: 'unknown' }
  for (const line of mounts.split('\n')) {
    const [, point = '', type = ''] = line.split(' ')
    const under = point === '/' || path === point || path.startsWith(`${point}/`)
    if (point !== '' && under && point.length >= found.point.length) found = { point, type }
  }
  return found.type
}

/** How many files this process, and those it starts, may have open. */
export function openFilesMax(): number {
  const [, most] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
  return Number(most ?? 1024)
}
