/**
 * Pure: did every call live its life once and forwards, but for retries that somebody asked for? From the state changes that supervisors were told and from
 * the views read between restarts, each in its own order, over all runs of the process.
 */
import { groupBy } from './group.js'

export const states = ['IN_PROGRESS', 'COMPLETED', 'PROCESSING_AI', 'ARCHIVED', 'FAILED'] as const
export type State = (typeof states)[number]

export interface StateChange {
  readonly call: string
  readonly from: State
  readonly to: State
}

/** A look at a call: its view at some moment. */
export interface Sighting {
  readonly call: string
  readonly state: State
  /** Since its last redrive. */
  readonly attempts: number
  readonly redrives: number
  readonly endedAt: string | null
}

export interface LifecycleViolation {
  readonly kind: 'bad-edge' | 'backwards' | 'repeated' | 'ended-twice' | 'too-many-attempts' | 'not-ended'
  readonly call: string
  readonly detail: string
}

const edges: Readonly<Record<State, readonly State[]>> = {
  IN_PROGRESS: ['COMPLETED'],
  COMPLETED: ['PROCESSING_AI'],
  PROCESSING_AI: ['ARCHIVED', 'FAILED'],
  ARCHIVED: [],
  FAILED: [],
}
const rank: Readonly<Record<State, number>> = {
  IN_PROGRESS: 0,
  COMPLETED: 1,
  PROCESSING_AI: 2,
  ARCHIVED: 3,
  FAILED: 3,
}

function isEnd(state: State): boolean {
  return state === 'ARCHIVED' || state === 'FAILED'
}

export interface Lives {
  /** In the order in which they were told. */
  readonly changes: readonly StateChange[]
  /** In the order in which they were read; the last of each call is how it ended. */
  readonly sightings: readonly Sighting[]
  /** Calls whose completion was acknowledged: each must have ended. */
  readonly completed: readonly string[]
  /** Of a drive. */
  readonly attemptsMax: number
  /** Calls that were to be retried, once for each request that may have been accepted. */
  readonly retried?: readonly string[]
}

export function judgeLives({
  changes,
  sightings,
  completed,
  attemptsMax,
  retried = [],
}: Lives): readonly LifecycleViolation[] {
  const retriesOf = (call: string) => retried.filter((other) => other === call).length
  const seen = groupBy(sightings, ({ call }) => call)
  return [
    ...[...groupBy(changes, ({ call }) => call)].flatMap(([call, ofCall]) =>
      judgeDrives(call, ofCall, retriesOf(call)),
    ),
    ...[...seen].flatMap(([call, ofCall]) => [
      ...judgeRedrives(call, ofCall, retriesOf(call)),
      ...[...groupBy(ofCall, ({ redrives }) => String(redrives)).values()].flatMap((ofDrive) =>
        judgeSightings(call, ofDrive, attemptsMax),
      ),
    ]),
    ...completed.flatMap((call): LifecycleViolation[] => {
      const state = seen.get(call)?.at(-1)?.state
      if (state !== undefined && isEnd(state)) return []
      return [{ kind: 'not-ended', call, detail: `completed, and last seen ${state ?? 'never'}` }]
    }),
  ]
}

/** A retry begins another life, which is judged by itself; only what has failed may have one. */
function judgeDrives(
  call: string,
  changes: readonly StateChange[],
  retries: number,
): readonly LifecycleViolation[] {
  const drives: StateChange[][] = [[]]
  for (const change of changes) {
    if (change.from === 'FAILED' && change.to === 'PROCESSING_AI') {
      drives.push([])
      continue
    }
    // A kill right behind the answer to a retry: nobody was told that it began.
    const isUntold = change.from === 'PROCESSING_AI' && drives.at(-1)?.at(-1)?.to === 'FAILED'
    if (isUntold && drives.length <= retries) drives.push([])
    drives.at(-1)?.push(change)
  }
  const violations = drives.flatMap((ofDrive) => judgeChanges(call, ofDrive))
  if (drives.length - 1 > retries)
    violations.push({
      kind: 'bad-edge',
      call,
      detail: `FAILED → PROCESSING_AI × ${drives.length - 1}, and ${retries} retries`,
    })
  if (drives.slice(0, -1).some((ofDrive) => ofDrive.some(({ to }) => to === 'ARCHIVED')))
    violations.push({ kind: 'ended-twice', call, detail: 'a retry after ARCHIVED' })
  return violations
}

function judgeRedrives(
  call: string,
  sightings: readonly Sighting[],
  retries: number,
): readonly LifecycleViolation[] {
  const violations: LifecycleViolation[] = []
  let before: Sighting | null = null
  for (const now of sightings) {
    if (before !== null && now.redrives < before.redrives)
      violations.push({
        kind: 'backwards',
        call,
        detail: `${before.redrives} redrives, then ${now.redrives}`,
      })
    if (before?.state === 'ARCHIVED' && now.redrives !== before.redrives)
      violations.push({ kind: 'ended-twice', call, detail: 'a redrive after ARCHIVED' })
    before = now
  }
  const most = Math.max(...sightings.map(({ redrives }) => redrives))
  if (most > retries)
    violations.push({ kind: 'bad-edge', call, detail: `${most} redrives, and ${retries} retries` })
  return violations
}

function judgeChanges(call: string, changes: readonly StateChange[]): LifecycleViolation[] {
  const violations: LifecycleViolation[] = []
  const told = new Set<string>()
  let reached = 0
  let ends = 0
  for (const { from, to } of changes) {
    const edge = `${from} → ${to}`
    if (!edges[from].includes(to)) violations.push({ kind: 'bad-edge', call, detail: edge })
    if (told.has(edge)) violations.push({ kind: 'repeated', call, detail: edge })
    if (rank[to] < reached)
      violations.push({ kind: 'backwards', call, detail: `${edge} after a later state was told` })
    told.add(edge)
    reached = Math.max(reached, rank[to])
    if (isEnd(to)) ends++
  }
  if (ends > 1) violations.push({ kind: 'ended-twice', call, detail: `${ends} ends were told` })
  return violations
}

function judgeSightings(
  call: string,
  sightings: readonly Sighting[],
  attemptsMax: number,
): readonly LifecycleViolation[] {
  const violations: LifecycleViolation[] = []
  let before: Sighting | null = null
  for (const now of sightings) {
    if (now.attempts > attemptsMax)
      violations.push({ kind: 'too-many-attempts', call, detail: `${now.attempts} attempts` })
    if (before !== null && rank[now.state] < rank[before.state])
      violations.push({ kind: 'backwards', call, detail: `${before.state}, then ${now.state}` })
    if (before !== null && now.attempts < before.attempts)
      violations.push({
        kind: 'backwards',
        call,
        detail: `${before.attempts} attempts, then ${now.attempts}`,
      })
    if (
      before !== null &&
      isEnd(before.state) &&
      (now.endedAt !== before.endedAt || now.state !== before.state)
    )
      violations.push({
        kind: 'ended-twice',
        call,
        detail: `${before.state} at ${before.endedAt}, then ${now.state} at ${now.endedAt}`,
      })
    before = now
  }
  return violations
}

/** A line a kind, with examples. */
export function describeLives(violations: readonly LifecycleViolation[]): string {
  return [...groupBy(violations, ({ kind }) => kind)]
    .map(([kind, ofKind]) => {
      const examples = ofKind.slice(0, 3).map(({ call, detail }) => `${call}: ${detail}`)
      return `${kind} × ${ofKind.length} (${examples.join('; ')})`
    })
    .join('\n')
}
