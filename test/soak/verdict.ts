/** Pure: what the samples of a soak say about P25. */
import type { Check } from '../../bench/scenario.js'
import { type MapName, mapMetrics, type Sample } from './samples.js'
import { floors, type Point, theilSen } from './slope.js'

/** In the whole run, of three minutes each: longer than the service goes without a full collection of garbage. */
const windows = 8
/**
 * A collection more or less at the one end or the other is some megabytes. Over the 25 minutes of the whole run that is
 * nothing; a shorter one can only tell a leak that is larger.
 */
const residentNoiseMib = 8
const longMinutes = 20
const residentSlopeMax = (minutes: number) => (minutes >= longMinutes ? 1 : 1 + residentNoiseMib / minutes)
const openFilesSlopeMax = 0.1
/** Files that were opened once and stay, such as the reader's. */
const openFilesLeftMax = 4

/**
 * Minutes before anything is judged: a sixth of the run, and no less than it takes until calls have had their minute
 * in memory and the buffers of their packets have been collected twice. Until then memory rises by what the load needs.
 */
export const warmUpMinutes = (minutes: number): number => Math.max(minutes / 6, 4.5)

/** Of the load: a short run judges no less than five sixths of what was asked for. */
export const loadMinutes = (minutes: number): number => warmUpMinutes(minutes) + (minutes * 5) / 6

export interface Series {
  /** Since the load began. */
  readonly judgedFromMinutes: number
  /** Before the load. */
  readonly before: Sample
  /** Under load, in their order. */
  readonly loaded: readonly Sample[]
  /** Once the load and the onlookers are gone, until the calls have left memory. */
  readonly after: readonly Sample[]
}

const judged = ({ loaded, judgedFromMinutes }: Series) =>
  loaded.filter(({ minutes }) => minutes >= judgedFromMinutes)

export function residentFloors(series: Series): readonly Point[] {
  return floors(
    judged(series).map(({ minutes, residentMib }) => [minutes, residentMib] as const),
    windows,
  )
}

/** How many maps hold something, with what: a line for people, empty when all are empty. */
export function heldMaps({ maps }: Sample): string {
  const names = Object.keys(mapMetrics) as MapName[]
  return names
    .filter((name) => maps[name] !== 0)
    .map((name) => `${name} ${maps[name]}`)
    .join(', ')
}

export function judgeSamples(series: Series): readonly Check[] {
  const { before, after } = series
  const points = judged(series)
  const resident = theilSen(residentFloors(series))
  const slopeMax = residentSlopeMax((points.at(-1)?.minutes ?? 0) - (points[0]?.minutes ?? 0))
  // Supervisors come and go: their sockets are not what is left behind.
  const files = theilSen(
    points.map(({ minutes, openFiles, maps }) => [minutes, openFiles - maps.supervisors] as const),
  )
  const last = after.at(-1)
  const left = (last?.openFiles ?? Number.NaN) - before.openFiles
  const held = last === undefined ? 'nobody looked' : heldMaps(last)
  return [
    {
      name: 'resident memory: Theil–Sen slope of the floors of 8 windows, after the warm-up',
      wanted: `≤ ${slopeMax.toFixed(1)} MiB/min`,
      found: `${resident.toFixed(2)} MiB/min`,
      isMet: resident <= slopeMax,
    },
    {
      name: 'open files but supervisors’: Theil–Sen slope',
      wanted: `≤ ${openFilesSlopeMax}/min`,
      found: `${files.toFixed(2)}/min`,
      isMet: files <= openFilesSlopeMax,
    },
    {
      name: 'open files after the load, more than before it',
      wanted: `≤ ${openFilesLeftMax}`,
      found: String(left),
      isMet: left <= openFilesLeftMax,
    },
    {
      name: 'actors and maps once every call is terminal and silent',
      wanted: 'all empty',
      found: held === '' ? 'all empty' : held,
      isMet: held === '' && last?.openCalls === 0,
    },
  ]
}
