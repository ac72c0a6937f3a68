/** Calls as lists show them: what the reader has found, looked at once more, because a call changes only in memory. */
import type { HeardCall } from '../../actors/alert-view.js'
import { type CallRegistry, rowOf } from '../../actors/call-registry.js'
import { callView, damagedCall } from '../../actors/call-view.js'
import { type Millis, rfc3339 } from '../../clock.js'
import { isDamage } from '../../errors.js'
import type { DamagedCall as DamagedView, FoundCall, WaitingFor } from '../../protocol/call.js'
import type { CallId } from '../../protocol/call-id.js'
import { invalidParameter } from '../../protocol/query.js'
import type { CallReader, DamagedCall, FoundCall as FoundStoredCall } from '../../store/journal.js'
import type { Exchange } from '../exchange.js'
import { type CallFilters, isAskedFor } from './call-filters.js'

export interface CallPorts {
  readonly registry: CallRegistry
  readonly reader: CallReader
  /** Of a call in PROCESSING_AI. */
  waitingFor(callId: CallId): WaitingFor | null
  /** Null where it is not shown who listens. */
  listenersOf(callId: CallId): readonly string[] | null
  /** What is heard of a call just now. */
  heard(callId: CallId): Promise<HeardCall | null>
  now(): Millis
  /** Packets hold what was said as it was: throws where the asker may not have that. */
  assertUnmasked(exchange: Exchange, callId: CallId): void
}

export type Shown = FoundCall | DamagedView

interface SeenCall {
  readonly view: Shown
  /** The registry's, when it was looked at. */
  readonly mark: number
}

/** Of a call that the reader has found, with what was searched for in it. */
async function look(
  ports: CallPorts,
  call: FoundStoredCall | DamagedCall,
  mark: number,
): Promise<SeenCall | null> {
  const { callId, snapshot } = call
  try {
    const seen = await lookAt(ports, call, mark)
    if (seen === null || snapshot === null || call.match === undefined) return seen
    // The words are those of the call that was found, and not of one that has come to its name.
    if (seen.view.created_at !== rfc3339(snapshot.createdAt)) return null
    return { ...seen, view: { ...seen.view, match: [...call.match] } }
  } catch (error) {
    // One call that cannot be read takes the list from nobody.
    if (!isDamage(error)) throw error
    const state = snapshot === null ? call.state : snapshot.state
    return { view: damagedCall(callId, state), mark: ports.registry.mark }
  }
}

function lookAt(
  { registry, waitingFor, now }: CallPorts,
  call: FoundStoredCall | DamagedCall,
  mark: number,
): Promise<{ readonly view: FoundCall; readonly mark: number } | null> {
  const { callId } = call
  return new Promise((answered, failed) =>
    registry.observe(
      callId,
      rowOf(call, mark),
      (state) => ({ view: callView(state, waitingFor(callId), now()), mark: registry.mark }),
      { answered, failed },
    ),
  )
}

interface ShownPage {
  readonly calls: readonly Shown[]
  readonly nextCursor: number | null
}

/** A page of what the filters ask for. */
export async function readCalls(
  ports: CallPorts,
  filters: CallFilters,
  cursor: number | null,
  limit: number,
): Promise<ShownPage> {
  const { mark } = ports.registry
  const page = await ports.reader.calls({ ...filters, cursor, limit })
  const seen = await Promise.all(page.calls.map((call) => look(ports, call, mark)))
  // Until the last look one may have been erased.
  const calls = seen.flatMap((call): readonly Shown[] => {
    if (call === null || ports.registry.wasErasedSince(call.view.call_id as CallId, call.mark)) return []
    return 'damaged' in call.view || isAskedFor(call.view, filters) ? [call.view] : []
  })
  return { calls, nextCursor: page.nextCursor }
}

export const textOfCursor = (cursor: number): string => cursor.toString(36)

export function cursorOf(text: string | undefined): number | null {
  if (text === undefined) return null
  if (!/^[0-9a-z]{1,10}$/.test(text))
    throw invalidParameter('cursor', 'is not a cursor that this service gave')
  return Number.parseInt(text, 36)
}
