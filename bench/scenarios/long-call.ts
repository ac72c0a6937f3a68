/** What a packet costs late in a long call, against early in a short one: in order, and with 1 % of them missing. */
import { sendBulk, sendRange } from '../load/bulk.js'
import { rangeLines } from '../load/packets.js'
import { processUse, useBetween } from '../measure/proc.js'
import { median } from '../measure/statistics.js'
import type { Context, Report, Scenario } from '../scenario.js'
import { type MeasuredServer, startService } from '../stage/server.js'
import { inTurn } from './headline.js'

/** Each measurement is so many requests of so many packets of one call, one after the other. */
const requests = 128
const linesPerRequest = 1024
const costRatioMax = 1.2

interface Position {
  readonly packet: number
  /** Several calls share the requests where one would leave its position too far behind. */
  readonly calls: number
}

const positionsOf = (isQuick: boolean): readonly Position[] => [
  { packet: 1000, calls: requests },
  { packet: 10_000, calls: 16 },
  { packet: isQuick ? 300_000 : 1_000_000, calls: 1 },
]

const variants = [
  { name: 'in order', skips: undefined },
  { name: '1 % missing', skips: 100 },
] as const
type Variant = (typeof variants)[number]

interface Cost {
  readonly mainMicros: number
  readonly writerMicros: number
  readonly wallMicros: number
}

/** The requests go to one call after the other, each from where its own packets end. */
function* lines(
  prefix: string,
  { calls }: Position,
  from: number,
  skips: number | undefined,
): Generator<string> {
  const each = (requests / calls) * linesPerRequest
  for (let call = 0; call < calls; call++) {
    const range = rangeLines(
      prefix,
      { lane: call, lanes: calls, count: calls },
      { from, through: Number.MAX_SAFE_INTEGER, skips },
    )
    for (let i = 0; i < each; i++) yield range.next().value as string
  }
}

async function measure(
  { url, pid }: MeasuredServer,
  prefix: string,
  position: Position,
  from: number,
  { skips }: Variant,
): Promise<Cost> {
  const before = processUse(pid)
  const lane = lines(prefix, position, from, skips)
  const { accepted, elapsedMs } = await sendBulk({ url, lanes: [lane], bodyLinesMax: linesPerRequest })
  const { mainMicros, writerMicros } = useBetween(before, processUse(pid))
  if (accepted !== requests * linesPerRequest) throw new Error(`${accepted} packets were accepted`)
  return {
    mainMicros: mainMicros / accepted,
    writerMicros: writerMicros / accepted,
    wallMicros: (elapsedMs * 1000) / accepted,
  }
}

/** Past the last packet of a measurement that started at `from`. */
function nextStart(from: number, { calls }: Position, skips: number | undefined): number {
  const sent = (requests / calls) * linesPerRequest
  return from + (skips === undefined ? sent : Math.ceil((sent * skips) / (skips - 1)) + 1)
}

async function measureVariant(
  context: Context,
  service: MeasuredServer,
  variant: Variant,
): Promise<Map<Position, Cost[]>> {
  const { rounds, isQuick, tell } = context
  const positions = positionsOf(isQuick)
  const costs = new Map<Position, Cost[]>(positions.map((position) => [position, []]))
  const long = positions.at(-1) as Position
  const label = variant.skips === undefined ? 'plain' : 'gaps'
  await sendRange(service.url, `long-${label}`, 1, {
    from: 0,
    through: long.packet - 1,
    skips: variant.skips,
  })
  let longFrom = long.packet
  for (let round = 1; round <= rounds; round++) {
    for (const position of inTurn(round, positions)) {
      if (position === long) {
        costs.get(long)?.push(await measure(service, `long-${label}`, long, longFrom, variant))
        longFrom = nextStart(longFrom, long, variant.skips)
        continue
      }
      const prefix = `short-${label}-${position.packet}-${round}`
      const range = { from: 0, through: position.packet - 1, skips: variant.skips }
      await sendRange(service.url, prefix, position.calls, range)
      costs.get(position)?.push(await measure(service, prefix, position, position.packet, variant))
    }
    tell(`${variant.name}: round ${round} of ${rounds}`)
  }
  return costs
}

const cpuOf = ({ mainMicros, writerMicros }: Cost) => mainMicros + writerMicros

function rowsOf(variant: Variant, costs: ReadonlyMap<Position, readonly Cost[]>) {
  const first = [...costs.values()][0] ?? []
  return [...costs].map(([position, all]) => {
    const of = (key: keyof Cost) => median(all.map((cost) => cost[key]))
    const ratio = median(all.map((cost, round) => cpuOf(cost) / cpuOf(first[round] as Cost)))
    return [
      variant.name,
      position.packet,
      of('mainMicros'),
      of('writerMicros'),
      of('wallMicros'),
      ratio,
    ] as const
  })
}

async function run(context: Context): Promise<Report> {
  const { stage } = context
  const folder = stage.newFolder('long-call')
  const service = await startService(stage, folder)
  const rows: ReturnType<typeof rowsOf>[number][] = []
  try {
    for (const variant of variants)
      rows.push(...rowsOf(variant, await measureVariant(context, service, variant)))
  } finally {
    await service.kill()
    stage.removeFolder(folder)
  }
  const last = positionsOf(context.isQuick).at(-1)?.packet ?? 0
  const micros = (name: string) => ({ name, unit: 'µs', digits: 2 })
  return {
    tables: [
      {
        title: `${requests} requests of ${linesPerRequest} packets of one call each, one after the other`,
        columns: [
          { name: 'arrival' },
          { name: 'from packet' },
          ...['main thread', 'writer thread', 'elapsed'].map(micros),
          { name: 'CPU to the first row', digits: 2 },
        ],
        rows,
      },
    ],
    charts: [],
    checks: rows
      .filter(([, packet]) => packet === last)
      .map(([name, packet, , , , ratio]) => ({
        name: `long call, ${name}: packet ${packet.toLocaleString('en')} to packet 1,000, CPU`,
        wanted: `≤ ${costRatioMax}`,
        found: ratio.toFixed(2),
        isMet: ratio <= costRatioMax,
      })),
    notes: [
      'without a supervisor; a receipt lists at most 100 missing numbers, so early packets of a lossy call list fewer',
    ],
  }
}

export const longCall: Scenario = {
  name: 'long-call',
  title: 'Cost against the length of a call',
  summary: 'CPU time a packet at packet 1,000, 10,000 and 1,000,000 of a call.',
  needsWrk: false,
  run,
}
