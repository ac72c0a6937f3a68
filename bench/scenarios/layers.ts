/** Each layer alone, in this process: nanoseconds of an operation. What is missing to a whole packet is HTTP and waiting. */
import { median } from '../measure/statistics.js'
import type { Context, Report, Scenario } from '../scenario.js'
import type { Layer } from './layer.js'
import { codecLayers, receiveLogLayers } from './pure-layers.js'
import { actorLayers, feedLayers, mediaLayer, sqliteLayers } from './stateful-layers.js'

async function run({ stage, rounds, isQuick, tell }: Context): Promise<Report> {
  const layers: readonly Layer[] = [
    ...receiveLogLayers,
    ...codecLayers,
    ...actorLayers,
    mediaLayer,
    ...feedLayers,
    ...sqliteLayers(stage, isQuick ? 65_536 : 262_144),
  ]
  const nanos = new Map<Layer, number[]>(layers.map((layer) => [layer, []]))
  // The first round only compiles.
  for (let round = 0; round <= rounds; round++) {
    for (const layer of layers) {
      const { operations, elapsedMs } = await layer.sample()
      if (round > 0) nanos.get(layer)?.push((elapsedMs * 1e6) / operations)
    }
    if (round > 0) tell(`round ${round} of ${rounds}`)
  }
  const rows = layers.map((layer) => {
    const all = nanos.get(layer) ?? []
    return [layer.name, median(all), Math.min(...all), Math.max(...all)] as const
  })
  return {
    tables: [
      {
        title: 'one operation',
        columns: [
          { name: 'layer' },
          ...['median', 'fastest round', 'slowest round'].map((name) => ({ name, unit: 'ns', digits: 0 })),
        ],
        rows,
      },
    ],
    charts: [],
    checks: [],
    notes: [
      'the actor’s figure holds its settlement and the event, and no journal; the SQLite one is elapsed time with both threads at work, fsyncs included',
    ],
  }
}

export const layers: Scenario = {
  name: 'layers',
  title: 'Each layer alone',
  summary: 'Nanoseconds of an operation in-process: receive log, decoding, receipt, actor, journal, feed.',
  needsWrk: false,
  run,
}
