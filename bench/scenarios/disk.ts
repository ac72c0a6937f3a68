/** What the disk gets: bytes a packet, the write-ahead log at saturation, and while a reader holds a snapshot. */
import { warmCalls } from '../load/bulk.js'
import { startOpenLoop } from '../load/open-loop.js'
import { newCallSet, type Saturation, saturate } from '../load/saturate.js'
import { holdSnapshot, sizeMib } from '../measure/database-files.js'
import { mostOf, pointsOf, type Sample, sampleEvery } from '../measure/sampler.js'
import type { Check, Context, Report, Scenario } from '../scenario.js'
import { startService } from '../stage/server.js'
import { type Headline, withHeadline } from './headline.js'
import { mistakes } from './open-loop.js'

const calls = 1024
const walMibMax = 256
const walAfterMibMax = 64
/** Twice of where it is usually checkpointed: somebody should know by then. */
const walWarnedMib = 128
const releaseSecondsMax = 30
const packetsPerSecond = 1000

interface Loaded extends Saturation {
  readonly wal: readonly Sample[]
  /** Growth of database and WAL. */
  readonly grownMib: number
}

async function load({ stage, seconds }: Context, { service, folder }: Headline): Promise<Loaded> {
  const set = newCallSet(calls)
  await warmCalls(service.url, set)
  const size = () => sizeMib(folder, '') + sizeMib(folder, '-wal')
  const before = size()
  const wal = sampleEvery(50, () => sizeMib(folder, '-wal'))
  try {
    const found = await saturate(stage, service, { seconds: seconds * 2, set, isWarm: true })
    return { ...found, wal: wal.samples, grownMib: size() - before }
  } finally {
    await wal.stop()
  }
}

interface Held {
  readonly wal: readonly Sample[]
  readonly heldSeconds: number
  /** From the release until the WAL was small enough, or null. */
  readonly smallAfter: number | null
  readonly sizeAfterMib: number
  readonly isWarned: boolean
  readonly refused: number
}

/** A fresh database, so that the WAL starts empty. */
async function hold({ stage, isQuick, tell }: Context): Promise<Held> {
  const heldSeconds = isQuick ? 15 : 60
  const afterSeconds = isQuick ? 10 : releaseSecondsMax
  const folder = stage.newFolder('snapshot')
  const service = await startService(stage, folder)
  const set = newCallSet(calls)
  try {
    await warmCalls(service.url, set)
    const warned = service.warnings.length
    const wal = sampleEvery(100, () => sizeMib(folder, '-wal'))
    const loop = startOpenLoop(stage)
    const plan = {
      port: service.port,
      rate: packetsPerSecond,
      connections: 64,
      set,
      target: 'packet',
    } as const
    const loading = loop.run({ ...plan, seconds: heldSeconds + afterSeconds })
    // It is awaited below; until then its failure must not count as nobody's.
    loading.catch(() => {})
    const release = holdSnapshot(folder)
    await new Promise((resolve) => setTimeout(resolve, heldSeconds * 1000))
    release()
    const releasedAt = wal.samples.at(-1)?.seconds ?? 0
    tell(`snapshot released at ${sizeMib(folder, '-wal').toFixed(0)} MiB of WAL`)
    const figures = await loading
    loop.end()
    await wal.stop()
    const small = wal.samples.find(({ seconds, value }) => seconds > releasedAt && value <= walAfterMibMax)
    return {
      wal: wal.samples,
      heldSeconds,
      smallAfter: small === undefined ? null : small.seconds - releasedAt,
      sizeAfterMib: sizeMib(folder, '-wal'),
      isWarned: service.warnings.length > warned,
      refused: mistakes(figures),
    }
  } finally {
    await service.kill()
    stage.removeFolder(folder)
  }
}

function checks(loaded: Loaded, held: Held): readonly Check[] {
  const bytes = loaded.use.diskBytes / loaded.stored
  const most = mostOf(held.wal)
  return [
    {
      name: 'disk: written a packet at saturation',
      wanted: '≤ 1,024 bytes',
      found: `${bytes.toFixed(0)} bytes`,
      isMet: bytes <= 1024,
    },
    {
      name: `disk: WAL while a reader holds a snapshot ${held.heldSeconds} s at ${packetsPerSecond} packets/s`,
      wanted: `≤ ${walMibMax} MiB`,
      found: `${most.toFixed(0)} MiB`,
      isMet: most <= walMibMax,
    },
    {
      name: 'disk: WAL after the release',
      wanted: `≤ ${walAfterMibMax} MiB within ${releaseSecondsMax} s`,
      found:
        held.smallAfter === null
          ? `${held.sizeAfterMib.toFixed(0)} MiB at the end`
          : `after ${held.smallAfter.toFixed(1)} s`,
      isMet: held.smallAfter !== null,
    },
    {
      name: 'disk: a warning while the WAL grows',
      wanted: `a line in the log beyond ${walWarnedMib} MiB`,
      found: held.isWarned ? 'there is one' : `none, at ${most.toFixed(0)} MiB`,
      isMet: held.isWarned || most <= walWarnedMib,
    },
  ]
}

function reportOf(loaded: Loaded, held: Held): Report {
  const mib = { label: 'write-ahead log, MiB', scale: 'linear', from: 0 } as const
  const time = { label: 'time, s', scale: 'linear' } as const
  const row = (name: string, value: number, unit: string) => [name, value, unit] as const
  return {
    tables: [
      {
        title: `at saturation, ${loaded.stored.toLocaleString('en')} packets of 216 characters`,
        columns: [{ name: '' }, { name: 'found', digits: 1 }, { name: 'unit' }],
        rows: [
          row('written to disk a packet', loaded.use.diskBytes / loaded.stored, 'bytes'),
          row('growth of database and WAL a packet', (loaded.grownMib * 2 ** 20) / loaded.stored, 'bytes'),
          row('WAL at most', mostOf(loaded.wal), 'MiB'),
          row('rate', loaded.wrk.rate, 'packets/s'),
          row('latency p99.9, checkpoints included', loaded.wrk.p999, 'ms'),
        ],
      },
      {
        title: `a reader holds a snapshot ${held.heldSeconds} s at ${packetsPerSecond} packets/s`,
        columns: [{ name: '' }, { name: 'found', digits: 1 }, { name: 'unit' }],
        rows: [
          row('WAL at most', mostOf(held.wal), 'MiB'),
          row('WAL at the end', held.sizeAfterMib, 'MiB'),
          row('until it was small again', held.smallAfter ?? Number.NaN, 's after the release'),
          row('packets not accepted', held.refused, 'packets'),
        ],
      },
    ],
    charts: [
      {
        title: 'Write-ahead log at saturation',
        x: time,
        y: mib,
        series: [{ name: 'size of the file', points: pointsOf(loaded.wal) }],
      },
      {
        title: `Write-ahead log while a reader holds a snapshot for ${held.heldSeconds} s`,
        x: time,
        y: mib,
        series: [{ name: 'size of the file', points: pointsOf(held.wal) }],
        bounds: [{ y: walMibMax, label: `${walMibMax} MiB` }],
      },
    ],
    checks: checks(loaded, held),
    notes: [
      'bytes written are what the kernel was made to send to the disk, checkpoints included; growth is what stays',
    ],
  }
}

async function run(context: Context): Promise<Report> {
  const loaded = await withHeadline(context, (headline) => load(context, headline))
  context.tell(`${(loaded.use.diskBytes / loaded.stored).toFixed(0)} bytes a packet`)
  return reportOf(loaded, await hold(context))
}

export const disk: Scenario = {
  name: 'disk',
  title: 'What the disk gets',
  summary:
    'Bytes written a packet, and the write-ahead log at saturation and under a reader that holds it back.',
  needsWrk: true,
  run,
}
