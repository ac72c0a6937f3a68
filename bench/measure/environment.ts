/** What the figures were measured on. No host name and no paths: the page may be shown to anybody. */
import { closeSync, fdatasyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { fileSystemOf } from './proc.js'
import { distribution } from './statistics.js'

export interface Environment {
  readonly at: string
  readonly node: string
  readonly kernel: string
  readonly cpu: string
  readonly cores: number
  readonly memoryMib: number
  readonly fileSystem: string
  /** Of the minute before the start: what others did on the machine. */
  readonly loadAverage: number
  /** Milliseconds of an fdatasync after an append of 4 KiB, before anything else ran. */
  readonly fsyncP50Ms: number
  readonly fsyncP99Ms: number
}

const fsyncs = 300

function measureFsync(folder: string): { p50: number; p99: number } {
  const path = join(folder, 'fsync-probe')
  const file = openSync(path, 'w')
  const block = Buffer.alloc(4096, 1)
  const times = new Float64Array(fsyncs)
  try {
    for (let i = 0; i < fsyncs; i++) {
      const startedAt = performance.now()
      writeSync(file, block)
      fdatasyncSync(file)
      times[i] = performance.now() - startedAt
    }
  } finally {
    closeSync(file)
    rmSync(path)
  }
  return distribution(times)
}

/** `folder` is where the databases will lie. */
export function describeEnvironment(folder: string): Environment {
  const fsync = measureFsync(folder)
  return {
    at: new Date().toISOString(),
    node: process.version,
    kernel: release(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryMib: Math.round(totalmem() / 2 ** 20),
    fileSystem: fileSystemOf(folder, readFileSync('/proc/mounts', 'utf8')),
    loadAverage: Number((loadavg()[0] ?? 0).toFixed(2)),
    fsyncP50Ms: fsync.p50,
    fsyncP99Ms: fsync.p99,
  }
}

/** Nothing reaches a disk there: an fsync would cost nothing, and every figure would be a lie. */
const memoryFileSystems = new Set(['tmpfs', 'ramfs', 'devtmpfs', 'rootfs'])

/** Why no figures can be measured in a folder, or null. `folder` is absolute, without symbolic links. */
export function unfitFolder(folder: string, mounts: string): string | null {
  const type = fileSystemOf(folder, mounts)
  if (!memoryFileSystems.has(type)) return null
  return `the folder lies on ${type}, where an fsync costs nothing; name one on a real disk with --dir`
}
