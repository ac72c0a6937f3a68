/** The way back: calls, their packets and their gaps, live or stored. */
import Type from 'typebox'
import { type CallRegistry, rowOf } from '../../actors/call-registry.js'
import { callView, damagedCall } from '../../actors/call-view.js'
import { wholePage } from '../../actors/packet-pages.js'
import { type Millis, rfc3339 } from '../../clock.js'
import { isDamage } from '../../errors.js'
import { limits } from '../../limits.js'
import {
  CallPage,
  CallState,
  type CallView,
  CallView as CallViewSchema,
  type DamagedCall as DamagedView,
  type FoundCall,
  GapPage,
  PacketPage,
  type WaitingFor,
} from '../../protocol/call.js'
import { type CallId, decodeCallId } from '../../protocol/call-id.js'
import { callStates } from '../../protocol/call-states.js'
import { Sequence, TrackNumber } from '../../protocol/packet.js'
import { integerOf, invalidParameter, oneOf } from '../../protocol/query.js'
import type { CallReader, DamagedCall, FoundCall as FoundStoredCall } from '../../store/journal.js'
import { type Exchange, jsonType } from '../exchange.js'
import type { Route } from '../routes.js'
import { detailParameters, detailsOf, hasDetails, searchOf, searchParameter } from './call-filters.js'
import { callNotFound, known, unknownCall } from './known-call.js'

const limitParameter = (fallback: number, max: number) => ({
  name: 'limit',
  schema: Type.Integer({ minimum: 1, maximum: max, default: fallback }),
})
const fromParameter = { name: 'from', schema: { ...Sequence, default: 0 } }
const trackParameter = { name: 'track', schema: { ...TrackNumber, default: 0 } }
const noGaps = { ranges: [], nextFrom: null }

const trackOf = (exchange: Exchange) =>
  integerOf(exchange.query('track'), 'track', 0, limits.tracksMax - 1, 0)

export interface CallPorts {
  readonly registry: CallRegistry
  readonly reader: CallReader
  /** Of a call in PROCESSING_AI. */
  waitingFor(callId: CallId): WaitingFor | null
  /** Null where it is not shown who listens. */
  listenersOf(callId: CallId): readonly string[] | null
  now(): Millis
}

export function callRoutes(ports: CallPorts): readonly Route[] {
  return [callRoute(ports), callListRoute(ports), packetPageRoute(ports), gapPageRoute(ports)]
}

function callRoute(ports: CallPorts): Route {
  return {
    method: 'GET',
    path: '/v1/call/{call_id}',
    access: 'supervisor',
    tag: 'calls',
    summary: 'One call',
    answers: {
      200: { description: 'The stored state of the call.', schema: CallViewSchema },
      ...callNotFound,
    },
    answer: async (exchange) => {
      const callId = decodeCallId(exchange.segment)
      const view = known(await readCall(ports, callId), callId)
      const listeners = ports.listenersOf(callId)
      exchange.json(listeners === null ? view : { ...view, listeners })
    },
  }
}

function callListRoute(ports: CallPorts): Route {
  return {
    method: 'GET',
    path: '/v1/calls',
    access: 'supervisor',
    answerBytesMax: limits.pageBytesMax,
    tag: 'calls',
    summary: 'Calls, newest first',
    description: 'A call must match every parameter. `meta.KEY=value` matches a member of its `metadata`.',
    query: [
      { name: 'state', schema: CallState },
      searchParameter,
      ...detailParameters,
      { name: 'cursor', schema: Type.String({ description: 'The `next_cursor` of the previous page.' }) },
      limitParameter(50, limits.callsPageMax),
    ],
    answers: { 200: { description: 'A page of calls.', schema: CallPage } },
    answer: (exchange) => answerCalls(exchange, ports),
  }
}

function packetPageRoute({ registry, reader }: CallPorts): Route {
  return {
    method: 'GET',
    path: '/v1/call/{call_id}/packets',
    access: 'supervisor',
    answerBytesMax: limits.pageBytesMax,
    tag: 'calls',
    summary: 'The packets of a call’s track, ascending',
    query: [trackParameter, fromParameter, limitParameter(100, limits.packetsPageMax)],
    answers: { 200: { description: 'A page of packets.', schema: PacketPage }, ...callNotFound },
    answer: async (exchange) => {
      const callId = decodeCallId(exchange.segment)
      const from = integerOf(exchange.query('from'), 'from', 0, limits.sequenceMax, 0)
      const limit = integerOf(exchange.query('limit'), 'limit', 1, limits.packetsPageMax, 100)
      const track = trackOf(exchange)
      const { mark } = registry
      const ask = () => reader.packetPage(callId, from, limit, exchange, track)
      const page = known(await wholePage(registry, callId, { track, from }, ask), callId)
      if (registry.wasErasedSince(callId, mark)) throw unknownCall(callId)
      exchange.send('200 OK', jsonType, page.text)
    },
  }
}

function gapPageRoute({ registry }: CallPorts): Route {
  return {
    method: 'GET',
    path: '/v1/call/{call_id}/gaps',
    access: 'supervisor',
    tag: 'calls',
    summary: 'The missing ranges of a call’s track, ascending',
    query: [trackParameter, fromParameter, limitParameter(100, limits.gapRangesPageMax)],
    answers: { 200: { description: 'A page of ranges, inclusive.', schema: GapPage }, ...callNotFound },
    answer: async (exchange) => {
      const callId = decodeCallId(exchange.segment)
      const from = integerOf(exchange.query('from'), 'from', 0, limits.sequenceMax, 0)
      const limit = integerOf(exchange.query('limit'), 'limit', 1, limits.gapRangesPageMax, 100)
      const track = trackOf(exchange)
      const page = known(
        await registry.read(
          callId,
          ({ context }) => context.logs.of(track)?.missingRanges(from, limit) ?? noGaps,
        ),
        callId,
      )
      exchange.json({ gaps: page.ranges.map(({ first, last }) => [first, last]), next_from: page.nextFrom })
    },
  }
}

function readCall({ registry, waitingFor, now }: CallPorts, callId: CallId): Promise<CallView | null> {
  return registry.read(callId, (state) => callView(state, waitingFor(callId), now()))
}

type Shown = FoundCall | DamagedView

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

async function answerCalls(exchange: Exchange, ports: CallPorts): Promise<void> {
  const state = oneOf(exchange.query('state'), 'state', callStates, null)
  const limit = integerOf(exchange.query('limit'), 'limit', 1, limits.callsPageMax, 50)
  const cursor = cursorOf(exchange.query('cursor'))
  const details = detailsOf(exchange.search)
  const search = searchOf(exchange.query('q'))
  const { mark } = ports.registry
  const page = await ports.reader.calls({ state, details, search, cursor, limit })
  const seen = await Promise.all(page.calls.map((call) => look(ports, call, mark)))
  // Between the page and the look at each call one may have moved on, and until the last look one may have been erased.
  const calls = seen.flatMap((call): readonly Shown[] => {
    if (call === null || ports.registry.wasErasedSince(call.view.call_id as CallId, call.mark)) return []
    const { view } = call
    if ('damaged' in view) return [view]
    const fits = (state === null || view.state === state) && hasDetails(view, details)
    return fits ? [view] : []
  })
  sendPage(exchange, calls, page.nextCursor)
}

function sendPage(exchange: Exchange, calls: readonly Shown[], nextCursor: number | null): void {
  exchange.json({ calls, next_cursor: nextCursor === null ? null : nextCursor.toString(36) })
}

function cursorOf(text: string | undefined): number | null {
  if (text === undefined) return null
  if (!/^[0-9a-z]{1,10}$/.test(text))
    throw invalidParameter('cursor', 'is not a cursor that this service gave')
  return Number.parseInt(text, 36)
}
