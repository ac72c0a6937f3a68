/** What is looked at every few seconds: what the kernel, the file system and the service itself count. */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { readMetrics } from '../support/metrics.js'
import type { Service } from '../support/service.js'
import { residentOf } from '../torture/memory.js'
import { epochMs, sleep } from '../torture/stage.js'

/** Everything that a call, a request or a supervisor leaves behind as long as it is there. */
export const mapMetrics = {
  activeCalls: 'voicestream_calls_active',
  activatingCalls: 'voicestream_calls_activating',
  armedDeadlines: 'voicestream_deadlines_armed',
  runningAnalyses: 'voicestream_analyses_running',
  supervisors: 'voicestream_supervisors',
  queuedEntries: 'voicestream_journal_queue_entries',
} as const

export type MapName = keyof typeof mapMetrics

export interface Sample {
  /** Since the load began. */
  readonly minutes: number
  readonly residentMib: number
  readonly heapMib: number
  readonly openFiles: number
  readonly maps: Readonly<Record<MapName, number>>
  readonly tailMib: number
  readonly walMib: number
  readonly databaseMib: number
  /** Calls that are not ARCHIVED or FAILED. */
  readonly openCalls: number
}

const mib = 2 ** 20

export async function look(service: Service, startedAt: number): Promise<Sample> {
  const pid = service.child.pid as number
  const readings = await readMetrics(service)
  const of = (name: string) => readings.get(name) ?? Number.NaN
  const sizeMib = (ending: string) =>
    (statSync(join(service.dataDir, `voicestream.db${ending}`), { throwIfNoEntry: false })?.size ?? 0) / mib
  const maps = Object.fromEntries(Object.entries(mapMetrics).map(([name, metric]) => [name, of(metric)]))
  return {
    minutes: (epochMs() - startedAt) / 60_000,
    residentMib: residentOf(pid).bytes / mib,
    heapMib: of('voicestream_nodejs_heap_size_used_bytes') / mib,
    openFiles: readdirSync(`/proc/${pid}/fd`).length,
    // Every name of `mapMetrics` was read.
    maps: maps as Record<MapName, number>,
    tailMib: of('voicestream_journal_tail_bytes') / mib,
    walMib: sizeMib('-wal'),
    databaseMib: sizeMib(''),
    openCalls: ['IN_PROGRESS', 'COMPLETED', 'PROCESSING_AI']
      .map((state) => of(`voicestream_calls{state="${state}"}`))
      .reduce((sum, count) => sum + count),
  }
}

/** Looks every `periodMs` until `isOver`. A look that fails stops the run: the service must answer all the time. */
export async function lookUntil(
  isOver: (sample: Sample) => boolean,
  { service, startedAt, periodMs }: { service: Service; startedAt: number; periodMs: number },
): Promise<readonly Sample[]> {
  const samples: Sample[] = []
  for (let due = epochMs(); ; due += periodMs) {
    const sample = await look(service, startedAt)
    samples.push(sample)
    if (isOver(sample)) return samples
    await sleep(Math.max(0, due + periodMs - epochMs()))
  }
}
