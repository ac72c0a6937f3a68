/** Rate and memory against the number of calls: active ones at saturation, stored ones after a restart. */
import { warmCalls } from '../load/bulk.js'
import { codeCalls, newCallSet, saturate, warmCode } from '../load/saturate.js'
import { storeCalls } from '../load/stored-calls.js'
import { type Readings, readMetrics } from '../measure/metrics-text.js'
import { residentMib } from '../measure/proc.js'
import { median, mediansOf } from '../measure/statistics.js'
import type { ChartData, Check, Context, Report, Scenario, TableData } from '../scenario.js'
import { startService } from '../stage/server.js'
import { inTurn, perSecond } from './headline.js'

const counts = [10, 100, 1000, 10_000, 100_000] as const
const storedCalls = { quick: 200_000, full: 1_000_000 }
const settleMs = 1000
const residentMibMax = 700
const rateShareMin = 0.8
/** SQLite's own page caches, which fill with whatever is read: 32 MiB of the writer and 16 MiB of the reader. */
const pageCachesMib = 48

interface CallsRound {
  readonly rate: number
  /** With the calls in memory, before the load. */
  readonly idleMib: number
  /** Of the main thread, garbage included, and its buffers outside of the heap. */
  readonly heapMib: number
  readonly externalMib: number
  readonly loadedMib: number
}

const settled = () => new Promise((resolve) => setTimeout(resolve, settleMs))

/**
 * So many packets a call before the measurement that the journal's tail is as full as it stays: with many calls it is at
 * its bound, and folding smaller runs is part of their price.
 */
const warmPacketsOf = (calls: number) => Math.min(64, Math.ceil(900_000 / calls))

const mibOf = (readings: Readings, name: string) => (readings.get(name) ?? Number.NaN) / 2 ** 20

async function measure({ stage, seconds }: Context, calls: number): Promise<CallsRound> {
  const folder = stage.newFolder('calls')
  const service = await startService(stage, folder)
  try {
    await warmCode(stage, service)
    const set = newCallSet(calls, warmPacketsOf(calls))
    await warmCalls(service.url, set)
    await settled()
    const readings = await readMetrics(service.url)
    const active = readings.get('voicestream_calls_active')
    if (active !== calls + codeCalls) throw new Error(`${active} of ${calls} calls are active`)
    const idleMib = residentMib(service.pid)
    const heapMib = mibOf(readings, 'voicestream_nodejs_heap_size_used_bytes')
    const externalMib = mibOf(readings, 'voicestream_nodejs_external_memory_bytes')
    const { wrk } = await saturate(stage, service, { seconds, set, isWarm: true })
    return { rate: wrk.rate, idleMib, heapMib, externalMib, loadedMib: residentMib(service.pid) }
  } finally {
    await service.kill()
    stage.removeFolder(folder)
  }
}

interface StoredRound {
  readonly mib: number
  readonly readyMs: number
}

async function restartOn({ stage }: Context, folder: string): Promise<StoredRound> {
  const startedAt = performance.now()
  const service = await startService(stage, folder)
  try {
    const readyMs = performance.now() - startedAt
    await settled()
    return { mib: residentMib(service.pid), readyMs }
  } finally {
    await service.stop()
  }
}

interface Stored {
  readonly calls: number
  readonly empty: readonly StoredRound[]
  readonly full: readonly StoredRound[]
}

async function measureStored(context: Context): Promise<Stored> {
  const { stage, rounds, isQuick, tell } = context
  const calls = isQuick ? storedCalls.quick : storedCalls.full
  const folders = { empty: stage.newFolder('empty'), full: stage.newFolder('stored-calls') }
  tell(`storing ${calls.toLocaleString('en')} calls`)
  await storeCalls(folders.full, calls)
  const found = { empty: [] as StoredRound[], full: [] as StoredRound[] }
  for (let round = 1; round <= rounds; round++)
    for (const side of inTurn(round, ['empty', 'full'] as const))
      found[side].push(await restartOn(context, folders[side]))
  for (const folder of Object.values(folders)) stage.removeFolder(folder)
  return { calls, ...found }
}

function checks(byCount: ByCount, stored: Stored): readonly Check[] {
  const of = (calls: number, key: keyof CallsRound) =>
    median((byCount.get(calls) ?? []).map((round) => round[key]))
  const share = median(
    (byCount.get(100_000) ?? []).map(
      ({ rate }, round) => rate / (byCount.get(1000)?.[round]?.rate ?? Number.NaN),
    ),
  )
  const mib = of(100_000, 'loadedMib')
  const growth =
    median(stored.full.map((round) => round.mib)) - median(stored.empty.map((round) => round.mib))
  return [
    {
      name: 'calls: rate with 100,000 active to that with 1,000',
      wanted: `≥ ${rateShareMin}`,
      found: share.toFixed(2),
      isMet: share >= rateShareMin,
    },
    {
      name: 'calls: resident with 100,000 active, under load',
      wanted: `≤ ${residentMibMax} MiB`,
      found: `${mib.toFixed(0)} MiB`,
      isMet: mib <= residentMibMax,
    },
    {
      name: `calls: ${stored.calls.toLocaleString('en')} passive and archived cost after a restart`,
      wanted: `nothing beyond SQLite’s page caches, ${pageCachesMib} MiB`,
      found: `${growth.toFixed(1)} MiB`,
      isMet: growth <= pageCachesMib,
    },
  ]
}

type ByCount = ReadonlyMap<number, readonly CallsRound[]>
const roundKeys = ['rate', 'idleMib', 'loadedMib', 'heapMib', 'externalMib'] as const

function rowsOf(byCount: ByCount) {
  return [...byCount].map(([calls, rounds]) => {
    const { rate, idleMib, loadedMib, heapMib, externalMib } = mediansOf(rounds, roundKeys)
    const toThousand = median(
      rounds.map((round, index) => round.rate / (byCount.get(1000)?.[index]?.rate ?? Number.NaN)),
    )
    return [calls, rate, toThousand, idleMib, loadedMib, heapMib, externalMib] as const
  })
}
type Row = ReturnType<typeof rowsOf>[number]

function activeTable(rows: readonly Row[]): TableData {
  const mib = (name: string) => ({ name, unit: 'MiB' })
  return {
    title: 'active calls, each on a fresh service; wrk, 256 connections',
    columns: [
      { name: 'calls' },
      { name: 'rate', unit: 'packets/s' },
      { name: 'to 1,000 calls', digits: 2 },
      ...['resident before the load', 'after it', 'heap used before it', 'buffers before it'].map(mib),
    ],
    rows,
  }
}

function storedTable({ calls, empty, full }: Stored): TableData {
  const row = (name: string, rounds: readonly StoredRound[]) => {
    const { mib, readyMs } = mediansOf(rounds, ['mib', 'readyMs'])
    return [name, mib, readyMs] as const
  }
  return {
    title: 'after a restart',
    columns: [
      { name: 'database' },
      { name: 'resident', unit: 'MiB', digits: 1 },
      { name: 'start to ready', unit: 'ms' },
    ],
    rows: [
      row('empty', empty),
      row(`${calls.toLocaleString('en')} calls, half passive, half archived`, full),
    ],
  }
}

function charts(rows: readonly Row[]): readonly ChartData[] {
  const callsAxis = { label: 'active calls', scale: 'log' } as const
  return [
    {
      title: 'Rate against the number of active calls',
      x: callsAxis,
      y: { label: 'rate, packets/s', scale: 'linear', from: 0 },
      series: [{ name: 'VoiceStream', points: rows.map(([calls, rate]) => [calls, rate] as const) }],
    },
    {
      title: 'Memory against the number of active calls',
      x: callsAxis,
      y: { label: 'resident memory, MiB', scale: 'linear', from: 0 },
      series: [
        { name: 'before the load', points: rows.map(([calls, , , idle]) => [calls, idle] as const) },
        { name: 'after it', points: rows.map(([calls, , , , loaded]) => [calls, loaded] as const) },
      ],
      bounds: [{ y: residentMibMax, label: `${residentMibMax} MiB` }],
    },
  ]
}

function reportOf(byCount: ByCount, stored: Stored): Report {
  const rows = rowsOf(byCount)
  return {
    tables: [activeTable(rows), storedTable(stored)],
    charts: charts(rows),
    checks: checks(byCount, stored),
    notes: [
      'resident memory holds garbage that was not collected yet and the journal’s tail (96 MiB at most), as an operator would see it',
      'the stored calls were written through SqliteJournal itself, with the snapshots that the service would write; through HTTP their lives would take hours',
    ],
  }
}

async function run(context: Context): Promise<Report> {
  const { rounds, tell } = context
  const byCount = new Map<number, CallsRound[]>(counts.map((calls) => [calls, []]))
  for (let round = 1; round <= rounds; round++) {
    for (const calls of inTurn(round, counts)) byCount.get(calls)?.push(await measure(context, calls))
    const rates = [...byCount].map(([calls, all]) => `${calls}: ${perSecond(all.at(-1)?.rate ?? 0)}`)
    tell(`round ${round} of ${rounds}: ${rates.join(', ')}`)
  }
  return reportOf(byCount, await measureStored(context))
}

export const calls: Scenario = {
  name: 'calls',
  title: 'Rate and memory against the number of calls',
  summary: '10 to 100,000 active calls at saturation, and passive and archived ones after a restart.',
  needsWrk: true,
  run,
}
