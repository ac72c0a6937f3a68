/** Asks the service for its account of the calls, until they have ended, and holds it against the simulator's own. */
import {
  breachDifference,
  compareRanges,
  compareStoredPage,
  compareView,
  type Difference,
  type TrackTruth,
} from './account.js'
import type { SimulatorClock } from './clock.js'
import { SimulateError } from './errors.js'
import {
  auditsAtOnce,
  differencesKept,
  listedMissingMax,
  pageLimit,
  pollMs,
  pollPatienceMs,
} from './limits.js'
import type { Range } from './send-log.js'
import {
  type CallView,
  decodeCallView,
  decodeGapsPage,
  decodePacketsPage,
  readProblemDetail,
} from './service-answers.js'
import { type ServiceClient, sleepUnlessAborted } from './service-client.js'
import type { SimulatedCall } from './simulated-call.js'

/** What the service last showed of a call. */
export type Sighting = { kind: 'seen'; view: CallView } | { kind: 'unseen'; error: SimulateError }

export interface Audit {
  readonly view: CallView | null
  readonly isEnded: boolean
  /** Why the account could not be compared in full; null when it was. */
  readonly notCompared: string | null
  readonly differences: readonly Difference[]
}

export interface Desk {
  readonly client: ServiceClient
  readonly clock: SimulatorClock
  readonly signal: AbortSignal
}

function hasEnded(sighting: Sighting | undefined): boolean {
  if (sighting?.kind !== 'seen') return false
  return sighting.view.state === 'ARCHIVED' || sighting.view.state === 'FAILED'
}

/**
 * Polls the calls until all have ended or settled, `waitMs` is over, or the signal is aborted; every call is asked at least once.
 * What was last seen of each call is put into `sightings`; `onEnd` is called for each call that ended.
 */
export async function awaitEnds(
  desk: Desk,
  request: {
    calls: readonly SimulatedCall[]
    waitMs: number
    /** What is waited for: the end of the call, or only that all that was sent is there. */
    until: 'ended' | 'settled'
    sightings: Map<string, Sighting>
    onEnd: () => void
  },
): Promise<void> {
  const { sightings, until, onEnd } = request
  const isOver = (call: SimulatedCall, sighting: Sighting | undefined) =>
    hasEnded(sighting) || (until === 'settled' && sighting?.kind === 'seen' && call.isSettled(sighting.view))
  const deadlineMs = desk.clock.nowMs() + request.waitMs
  const isDue = (callId: string) => !sightings.has(callId) || desk.clock.nowMs() < deadlineMs
  let open = request.calls
  for (;;) {
    await forEachAtMost(auditsAtOnce, open, async (call) => {
      const { callId } = call
      if (desk.signal.aborted || !isDue(callId)) return
      const sighting = await sightCall(desk, callId)
      sightings.set(callId, sighting)
      if (isOver(call, sighting)) onEnd()
    })
    open = open.filter((call) => !isOver(call, sightings.get(call.callId)))
    if (open.length === 0 || desk.clock.nowMs() + pollMs > deadlineMs) return
    if (!(await sleepUnlessAborted({ ms: pollMs, clock: desk.clock, signal: desk.signal }))) return
  }
}

/** Audits every call. Once the service is unreachable for one, the others are not tried in vain. */
export async function auditCalls(
  desk: Desk,
  request: {
    calls: readonly SimulatedCall[]
    sightings: ReadonlyMap<string, Sighting>
    onAudit: () => void
  },
): Promise<Map<string, Audit>> {
  const audits = new Map<string, Audit>()
  let gone: SimulateError | null = null
  await forEachAtMost(auditsAtOnce, request.calls, async (call) => {
    const sighting = request.sightings.get(call.callId)
    const view = sighting?.kind === 'seen' ? sighting.view : null
    const differences = [...call.differences]
    let notCompared: string | null = null
    try {
      if (gone !== null) throw gone
      if (call.playing.kind === 'broken off') throw call.playing.error
      if (sighting?.kind === 'unseen') throw sighting.error
      if (view === null) throw new SimulateError('interrupted', 'ended by the user')
      // One after another, so that what was found stays when a later request fails.
      const truth = call.truthOf(view)
      const isAlone = truth.tracks.length === 1
      differences.push(...compareView(truth, view))
      for (const track of truth.tracks) {
        const where = isAlone ? '' : `track ${track.track}: `
        differences.push(...(await auditRanges(desk, call, view, track, where)))
        differences.push(...(await auditPackets(desk, call, track, where)))
      }
    } catch (error) {
      if (!(error instanceof SimulateError)) throw error
      notCompared = error.message
      if (error.code === 'breach') differences.push(breachDifference(error))
      // One connection that was lost does not mean that the service is gone.
      const isOwn = call.playing.kind === 'broken off' && call.playing.error === error
      if (error.code === 'unreachable' && !isOwn) gone = error
    }
    audits.set(call.callId, { view, isEnded: hasEnded(sighting), notCompared, differences })
    request.onAudit()
  })
  return audits
}

/** Runs `task` for every item, at most `width` at a time. */
export async function forEachAtMost<Item>(
  width: number,
  items: readonly Item[],
  task: (item: Item) => Promise<void>,
): Promise<void> {
  const iterator = items.values()
  const work = async () => {
    for (const item of iterator) await task(item)
  }
  await Promise.all(Array.from({ length: width }, work))
}

async function auditRanges(
  desk: Desk,
  { callId }: SimulatedCall,
  view: CallView,
  { track, account }: TrackTruth,
  where: string,
): Promise<Difference[]> {
  const expected = account.missingRanges()
  const own = view.tracks?.find((each) => each.track === track)
  const listed = own?.missingRanges ?? (track === 0 ? view.missingRanges : [])
  const differences = compareRanges(expected.slice(0, listedMissingMax), listed, where)
  if (differences.length > 0 || Math.max(expected.length, listed.length) < listedMissingMax)
    return differences
  const paged: Range[] = []
  for (let from: number | null = 0; from !== null; ) {
    const page = decodeGapsPage(await fetchOk(desk, pagePath(callId, 'gaps', track, from)))
    paged.push(...page.gaps)
    from = advance(from, page.nextFrom)
  }
  return compareRanges(expected, paged, where)
}

async function auditPackets(
  desk: Desk,
  { callId }: SimulatedCall,
  { track, account, expectedPacket }: TrackTruth,
  where: string,
): Promise<Difference[]> {
  const differences: Difference[] = []
  for (let from: number | null = 0; from !== null && differences.length < differencesKept; ) {
    const page = decodePacketsPage(await fetchOk(desk, pagePath(callId, 'packets', track, from)))
    differences.push(...compareStoredPage({ log: account, expectedPacket, from, page, where }))
    from = advance(from, page.nextFrom)
  }
  return differences
}

function pagePath(callId: string, what: 'gaps' | 'packets', track: number, from: number): string {
  const ofTrack = track === 0 ? '' : `&track=${track}`
  return `/v1/call/${encodeURIComponent(callId)}/${what}?from=${from}&limit=${pageLimit}${ofTrack}`
}

/** Pages that do not advance would be read for ever. */
function advance(from: number, nextFrom: number | null): number | null {
  if (nextFrom !== null && nextFrom <= from)
    throw new SimulateError('breach', `"next_from" is ${nextFrom} on the page from ${from}`)
  return nextFrom
}

async function sightCall(desk: Desk, callId: string): Promise<Sighting> {
  try {
    const body = await fetchOk(desk, `/v1/call/${encodeURIComponent(callId)}`, pollPatienceMs)
    return { kind: 'seen', view: decodeCallView(body) }
  } catch (error) {
    if (error instanceof SimulateError) return { kind: 'unseen', error }
    throw error
  }
}

async function fetchOk({ client, signal }: Desk, path: string, patienceMs?: number): Promise<string> {
  if (signal.aborted) throw new SimulateError('interrupted', 'ended by the user')
  const answer = await client.send({
    method: 'GET',
    path,
    ...(patienceMs === undefined ? {} : { patienceMs }),
  })
  if (answer.status !== 200)
    throw new SimulateError(
      'breach',
      `GET ${path} got ${answer.status} ${readProblemDetail(answer.body)}`.trim(),
    )
  return answer.body
}
