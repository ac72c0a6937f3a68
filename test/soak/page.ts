/** A soak as one page: what was asked, what was found, and every series as a line. */
import { describeEnvironment } from '../../bench/measure/environment.js'
import { documentOf } from '../../bench/report/page.js'
import { environmentText } from '../../bench/report/table.js'
import type { ChartData } from '../../bench/scenario.js'
import type { Soak, SoakPlan } from './run.js'
import { type MapName, mapMetrics, type Sample } from './samples.js'
import { residentFloors } from './verdict.js'

function chart(
  title: string,
  unit: string,
  samples: readonly Sample[],
  lines: Readonly<Record<string, (sample: Sample) => number>>,
): ChartData {
  return {
    title,
    x: { label: 'minutes', scale: 'linear' },
    y: { label: unit, scale: 'linear', from: 0 },
    series: Object.entries(lines).map(([name, read]) => ({
      name,
      points: samples.map((sample) => [sample.minutes, read(sample)] as const),
    })),
  }
}

function chartsOf({ series }: Soak): readonly ChartData[] {
  const samples = [series.before, ...series.loaded, ...series.after]
  const memory = chart('Memory of the service', 'MiB', samples, {
    resident: ({ residentMib }) => residentMib,
    'heap in use': ({ heapMib }) => heapMib,
    'journal’s tail': ({ tailMib }) => tailMib,
  })
  const maps = Object.fromEntries(
    (Object.keys(mapMetrics) as MapName[]).map((name) => [name, (sample: Sample) => sample.maps[name]]),
  )
  return [
    {
      ...memory,
      series: [...memory.series, { name: 'floors that are fitted', points: residentFloors(series) }],
    },
    chart('Open files', 'files', samples, {
      all: ({ openFiles }) => openFiles,
      'but supervisors’': ({ openFiles, maps: { supervisors } }) => openFiles - supervisors,
    }),
    chart('Maps', 'entries', samples, maps),
    chart('Files of the database', 'MiB', samples, {
      log: ({ walMib }) => walMib,
      database: ({ databaseMib }) => databaseMib,
    }),
  ]
}

/** `folder` lies on the disk that was used. */
export function soakPage(soak: Soak, { minutes, packetsPerSecond, seed }: SoakPlan, folder: string): string {
  const head = `${environmentText(describeEnvironment(folder))} · ${minutes} minutes at ${packetsPerSecond} packets/s, seed ${seed}. The load shares the cores with the service.`
  const report = { tables: [], charts: chartsOf(soak), checks: soak.checks, notes: soak.notes }
  return documentOf('VoiceStream: soak', head, [
    {
      name: 'soak',
      title: 'Churn',
      summary:
        'Calls begin, lose packets, complete and are analysed; supervisors come and go; calls are read; packets come twice.',
      elapsedSeconds: minutes * 60,
      outcome: { kind: 'measured', report },
    },
  ])
}
