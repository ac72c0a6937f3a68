/**
 * Decides where a leg's voices come into the tracks of its call, and when a call ends by its legs. A leg brings its voices
 * from a base on: the number that its first packet has in the track. Pure; what is decided is journaled.
 */
import assert from 'node:assert/strict'
import type { Millis } from '../clock.js'
import { limits } from '../limits.js'
import type { ExpectedTotals } from '../protocol/call.js'
import { type CallDetails, isSameMedia, type Track } from '../protocol/media.js'
import type { LegEnd, LifecycleEntry } from '../store/journal.js'
import type { CallContext } from './call-context.js'
import { lostLegs, openLegs } from './call-legs.js'
import type { LegAnswer, LegRequest } from './call-messages.js'

/** Which tracks the voices of a leg come into, and from which number on. */
export function legStart(
  context: CallContext,
  isReceiving: boolean,
  request: LegRequest,
  now: Millis,
  run: string,
): { readonly entries: readonly LifecycleEntry[]; readonly answer: LegAnswer } {
  if (!isReceiving) return refusal('grace-period-over')
  if (context.legs.legs.length >= limits.legsMax) return refusal('too-many-legs')
  // A leg of a process that is gone has no socket any more.
  const lost = lostLegs(context, run).map(
    ({ leg }): LifecycleEntry => ({
      type: 'leg-ended',
      at: context.lastPacketAt,
      leg,
      why: 'lost',
      totals: null,
      dueAt: null,
    }),
  )
  const taken = new Set(
    openLegs(context)
      .filter((leg) => leg.run === run)
      .flatMap(({ tracks }) => tracks.map(({ track }) => track)),
  )
  const tracks: Track[] = [...(context.details.tracks ?? [])]
  const placed: { track: number; base: number }[] = []
  for (const voice of request.voices) {
    const track = freeTrack(context, tracks, taken, voice)
    if (track === null) return refusal('too-many-tracks')
    taken.add(track)
    const known = tracks.findIndex((other) => other.track === track)
    if (known < 0) tracks.push({ track, ...voice })
    placed.push({ track, base: baseOf(context, track, now, request.packetMs) })
  }
  const { leg, dialect } = request
  const entries: LifecycleEntry[] = [...lost]
  const details = mergedDetails(context, request, tracks)
  if (JSON.stringify(details) !== JSON.stringify(context.details) || context.describedAt === null)
    entries.push({ type: 'described', at: now, details })
  entries.push({ type: 'leg-started', at: now, leg, dialect, run, tracks: placed })
  for (const { track, base } of placed) {
    const packets = base - 1 - (context.logs.of(track)?.highestSequence ?? base - 1)
    const note = { kind: 'skipped', leg, track, text: 'inferred', packets } as const
    if (packets > 0 && context.legs.notes.length + entries.length < limits.notesMax)
      entries.push({ type: 'noted', at: now, note })
  }
  return { entries, answer: { kind: 'started', createdAt: context.createdAt, tracks: placed } }
}

const refusal = (kind: Exclude<LegAnswer['kind'], 'started'>) => ({
  entries: [],
  answer: { kind } as const,
})

/** A track of the same voice that no open leg uses, or the first one of which nothing is known. */
function freeTrack(
  context: CallContext,
  tracks: readonly Track[],
  taken: ReadonlySet<number>,
  voice: Omit<Track, 'track'>,
): number | null {
  const same = tracks.find(
    ({ track, name, media }) => !taken.has(track) && name === voice.name && isSameMedia(media, voice.media),
  )
  if (same !== undefined) return same.track
  for (let track = 0; track < limits.tracksMax; track++) {
    const isUsed = taken.has(track) || tracks.some((other) => other.track === track)
    if (!isUsed && (context.logs.of(track)?.totalReceived ?? 0) === 0) return track
  }
  return null
}

/** Behind what is there, by as many packets as time has passed: the time line stays true, and the hole is seen. */
function baseOf(context: CallContext, track: number, now: Millis, packetMs: number): number {
  const highest = context.logs.of(track)?.highestSequence ?? null
  if (highest === null) return 0
  const passed = Math.max(0, now - silentSince(context, track))
  return Math.min(highest + 1 + Math.round(passed / packetMs), limits.sequenceMax)
}

/** Another voice may have gone on since its leg ended, and a leg whose socket only looks open ends long after its last packet. */
function silentSince({ legs: { legs }, lastPacketAt }: CallContext, track: number): Millis {
  const last = legs.findLast(({ tracks }) => tracks.some((own) => own.track === track))
  return Math.min(last?.endedAt ?? lastPacketAt, lastPacketAt)
}

/** Details from a start count more than those that a socket brings. */
function mergedDetails(
  { details, describedAt }: CallContext,
  request: LegRequest,
  tracks: readonly Track[],
): CallDetails {
  const said = { ...request.details, ...(describedAt === null ? {} : details) }
  const metadata = Object.fromEntries(
    Object.entries({ ...request.details.metadata, ...details.metadata })
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .slice(0, limits.metadataMax),
  )
  const first = tracks.find(({ track }) => track === 0)
  const { media: _, metadata: __, tracks: ___, ...parties } = said as CallDetails
  return {
    media: describedAt === null ? (first?.media ?? details.media) : details.media,
    ...parties,
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
    tracks: [...tracks].sort((a, b) => a.track - b.track),
  }
}

/** The end of the call by its last leg; null while one is open, and for a call without legs. */
export function legsEnd(
  context: CallContext,
  run: string,
  graceMs: Readonly<Record<LegEnd, Millis>>,
): { readonly dueAt: Millis; readonly why: LegEnd; readonly totals: ExpectedTotals } | null {
  const { legs } = context.legs
  if (legs.length === 0 || openLegs(context).some((leg) => leg.run === run)) return null
  const ends = legs.map(
    ({ endedAt, why }) => ({ at: endedAt ?? context.lastPacketAt, why: why ?? 'lost' }) as const,
  )
  const last = ends.reduce((latest, end) => (end.at >= latest.at ? end : latest))
  // Packets that came by another way since are the call's, too.
  const at = Math.max(last.at, context.lastPacketAt)
  return { dueAt: at + graceMs[last.why], why: last.why, totals: totalsOf(context) }
}

/** Of each track the total that its last leg has proved; a track of an unproved leg has none. */
function totalsOf(context: CallContext): ExpectedTotals {
  const totals: (number | null)[] = []
  for (const { tracks, totals: proved, why } of context.legs.legs)
    tracks.forEach(({ track, base }, index) => {
      const count = proved?.[index] ?? null
      assert(track < limits.tracksMax)
      while (totals.length <= track) totals.push(null)
      totals[track] = count === null || why !== 'stopped' ? null : base + count
    })
  const clean = totals.map((total) => (total === 0 ? null : total))
  const [totalPackets = null] = clean
  return clean.slice(1).some((total) => total !== null) ? { totalPackets, totals: clean } : { totalPackets }
}
