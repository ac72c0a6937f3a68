/**
 * Live calls over a platform's sockets: how many of them one machine holds at their own pace, each packet on disk within 50 ms
 * and none dropped, and what a packet costs.
 */
import { MediaLoad } from '../load/media-sockets.js'
import { bucketQuantile, counted, histogramBetween, meanOf, readMetrics } from '../measure/metrics-text.js'
import { processUse, residentMib, type UseBetween, useBetween } from '../measure/proc.js'
import { median } from '../measure/statistics.js'
import type { Check, Context, Report, Scenario } from '../scenario.js'
import { startService } from '../stage/server.js'

const counts = { quick: [500, 1000], full: [250, 500, 1000, 1500, 2000] } as const
const playSeconds = { quick: 10, full: 60 } as const
/** What is not compiled yet is nobody's live call. */
const warmSeconds = 3
const settleMs = 1000
const wantedCalls = 1000
const settleMsMax = 50
const cpuMicrosMax = 12

interface Play {
  readonly calls: number
  readonly sent: number
  readonly stored: number
  readonly shed: number
  readonly settledP50: number
  readonly settledP99: number
  readonly commitPackets: number
  readonly use: UseBetween
  readonly baseMib: number
  readonly mib: number
  readonly lateMsMax: number
  readonly closed: number
}

const accepted = 'voicestream_packets_total{status="accepted"}'
const settleName = 'voicestream_media_settle_seconds'

const settled = () => new Promise((resolve) => setTimeout(resolve, settleMs))

async function measure({ stage, isQuick }: Context, load: MediaLoad, calls: number): Promise<Play> {
  const folder = stage.newFolder('media')
  const service = await startService(stage, folder)
  try {
    const baseMib = residentMib(service.pid)
    await load.connect(service, calls)
    await load.play(warmSeconds)
    await settled()
    const before = await readMetrics(service.url)
    const useBefore = processUse(service.pid)
    const { sent, lateMsMax, closed } = await load.play(isQuick ? playSeconds.quick : playSeconds.full)
    const use = useBetween(useBefore, processUse(service.pid))
    const mib = residentMib(service.pid)
    await settled()
    const after = await readMetrics(service.url)
    await load.close()
    const settling = histogramBetween(before, after, settleName, 'dialect="twilio"')
    return {
      calls,
      sent,
      stored: counted(before, after, accepted),
      shed: counted(before, after, 'voicestream_media_packets_shed_total'),
      settledP50: bucketQuantile(settling, 0.5) * 1000,
      settledP99: bucketQuantile(settling, 0.99) * 1000,
      commitPackets: meanOf(histogramBetween(before, after, 'voicestream_commit_packets')),
      use,
      baseMib,
      mib,
      lateMsMax,
      closed,
    }
  } finally {
    await service.kill()
    stage.removeFolder(folder)
  }
}

const cpuOf = ({ use: { mainMicros, writerMicros, otherMicros }, sent }: Play) =>
  (mainMicros + writerMicros + otherMicros) / sent

const holds = (play: Play) =>
  play.stored === play.sent && play.shed === 0 && play.closed === 0 && play.settledP99 <= settleMsMax

function reportOf(plays: readonly (readonly Play[])[]): Report {
  const rows = plays.map((rounds) => {
    const of = (value: (play: Play) => number) => median(rounds.map(value))
    return [
      rounds[0]?.calls ?? 0,
      of(({ stored, sent }) => (100 * stored) / sent),
      of(({ shed }) => shed),
      of(({ settledP50 }) => settledP50),
      of(({ settledP99 }) => settledP99),
      of(({ commitPackets }) => commitPackets),
      of(({ use, sent }) => use.mainMicros / sent),
      of(({ use, sent }) => use.writerMicros / sent),
      of(cpuOf),
      of(({ mib, baseMib, calls }) => ((mib - baseMib) * 1024) / calls),
      of(({ lateMsMax }) => lateMsMax),
    ]
  })
  const held = plays.filter((rounds) => rounds.every(holds)).map((rounds) => rounds[0]?.calls ?? 0)
  const most = Math.max(0, ...held)
  const cpu = median(
    plays.flatMap((rounds) => rounds.filter(({ calls }) => calls === wantedCalls).map(cpuOf)),
  )
  return {
    tables: [
      {
        title: 'sockets of live calls, 50 packets of 160 bytes a second on each, as Twilio sends them',
        columns: [
          { name: 'calls', digits: 0 },
          { name: 'stored', unit: '%', digits: 2 },
          { name: 'dropped', digits: 0 },
          { name: 'on disk, p50', unit: 'ms', digits: 1 },
          { name: 'p99', unit: 'ms', digits: 1 },
          { name: 'packets a commit', digits: 0 },
          ...['main thread', 'writer thread', 'all threads'].map((name) => ({ name, unit: 'µs', digits: 1 })),
          { name: 'memory a call', unit: 'KiB', digits: 0 },
          { name: 'generator late', unit: 'ms', digits: 1 },
        ],
        rows,
      },
    ],
    charts: [],
    checks: checks(most, cpu),
    notes: [
      'a packet counts from its arrival at the service to its settlement; the generator runs on the same cores',
    ],
  }
}

function checks(most: number, cpu: number): readonly Check[] {
  return [
    {
      name: `media: live calls, each packet on disk within ${settleMsMax} ms (p99), none dropped`,
      wanted: `≥ ${wantedCalls}`,
      found: String(most),
      isMet: most >= wantedCalls,
    },
    {
      name: `media: CPU of all threads a packet, ${wantedCalls} calls`,
      wanted: `≤ ${cpuMicrosMax} µs`,
      found: `${cpu.toFixed(1)} µs`,
      isMet: cpu <= cpuMicrosMax,
    },
  ]
}

async function run(context: Context): Promise<Report> {
  const { stage, rounds, isQuick, tell } = context
  const load = new MediaLoad(stage)
  const steps = isQuick ? counts.quick : counts.full
  const plays: Play[][] = steps.map(() => [])
  try {
    for (let round = 1; round <= rounds; round++)
      for (const [index, calls] of steps.entries()) {
        const play = await measure(context, load, calls)
        plays[index]?.push(play)
        tell(
          `round ${round} of ${rounds}, ${calls} calls: p99 ${play.settledP99.toFixed(1)} ms, ${play.sent - play.stored} not stored, ${cpuOf(play).toFixed(1)} µs a packet`,
        )
      }
  } finally {
    load.end()
  }
  return reportOf(plays)
}

export const media: Scenario = {
  name: 'media',
  title: 'Live calls over sockets',
  summary: 'Twilio-shaped sockets at the pace of live calls: how many hold, and what a packet costs.',
  needsWrk: false,
  run,
}
