/**
 * The legs of a call: each is one socket's stream, from its start to its end. A call may have several, one after the
 * other or at the same time. What the journaled entries of them do. Pure.
 */
import type { LifecycleFacts } from '../store/journal.js'
import type { CallContext, CallLegs, Leg } from './call-context.js'

type Entry<Type extends LifecycleFacts['type']> = Extract<LifecycleFacts, { type: Type }>

export function withLeg({ legs: known }: CallContext, entry: Entry<'leg-started'>): CallLegs {
  const { leg, dialect, run, at: startedAt, tracks } = entry
  const added: Leg = { leg, dialect, run, startedAt, tracks, endedAt: null, why: null, totals: null }
  return { ...known, legs: [...known.legs, added] }
}

export function withoutLeg({ legs: known }: CallContext, entry: Entry<'leg-ended'>): CallLegs {
  const legs = known.legs.map((leg) =>
    leg.leg === entry.leg && leg.endedAt === null
      ? { ...leg, endedAt: entry.at, why: entry.why, totals: entry.totals }
      : leg,
  )
  return { ...known, legs }
}

export function withNote({ legs: known }: CallContext, { at, note }: Entry<'noted'>): CallLegs {
  const digits = known.digits + (note.kind === 'dtmf' ? 1 : 0)
  return { ...known, digits, notes: [...known.notes, { ...note, at }] }
}

/** Without a name it is the call itself that is meant. */
export function isOpenLeg({ legs: { legs } }: CallContext, name: string | undefined): boolean {
  if (name === undefined) return true
  return legs.some(({ leg, endedAt }) => leg === name && endedAt === null)
}

export function openLegs({ legs: { legs } }: CallContext): readonly Leg[] {
  return legs.filter(({ endedAt }) => endedAt === null)
}

export function lostLegs(context: CallContext, run: string): readonly Leg[] {
  return openLegs(context).filter((leg) => leg.run !== run)
}
