/** The way back: calls, their packets and their gaps, live or stored. */
import Type from 'typebox'
import { callView } from '../../actors/call-view.js'
import { wholePage } from '../../actors/packet-pages.js'
import { limits } from '../../limits.js'
import {
  CallPage,
  type CallView,
  CallView as CallViewSchema,
  GapPage,
  PacketPage,
} from '../../protocol/call.js'
import { type CallId, decodeCallId } from '../../protocol/call-id.js'
import { Sequence, TrackNumber } from '../../protocol/packet.js'
import { integerOf } from '../../protocol/query.js'
import { type Exchange, jsonType } from '../exchange.js'
import type { Route } from '../routes.js'
import { filterParameters, filtersOf } from './call-filters.js'
import { type CallPorts, cursorOf, readCalls, type Shown, textOfCursor } from './call-reads.js'
import { callTableRoute } from './call-table.js'
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

export function callRoutes(ports: CallPorts): readonly Route[] {
  return [
    callRoute(ports),
    callListRoute(ports),
    callTableRoute(ports),
    packetPageRoute(ports),
    gapPageRoute(ports),
  ]
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
    description:
      'A call must match every parameter. `meta.KEY=value` matches a member of its `metadata`. `calls.csv` is the same list as a table.',
    query: [
      ...filterParameters,
      { name: 'cursor', schema: Type.String({ description: 'The `next_cursor` of the previous page.' }) },
      limitParameter(50, limits.callsPageMax),
    ],
    answers: { 200: { description: 'A page of calls.', schema: CallPage } },
    answer: (exchange) => answerCalls(exchange, ports),
  }
}

function packetPageRoute({ registry, reader, assertUnmasked }: CallPorts): Route {
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
      assertUnmasked(exchange, callId)
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

async function readCall(
  { registry, waitingFor, heard, now }: CallPorts,
  callId: CallId,
): Promise<CallView | null> {
  const sound = await heard(callId)
  return registry.read(callId, (state) => {
    const isRunning = state.value === 'IN_PROGRESS'
    return callView(state, waitingFor(callId), now(), isRunning ? sound : null)
  })
}

async function answerCalls(exchange: Exchange, ports: CallPorts): Promise<void> {
  const filters = filtersOf(exchange.search)
  const limit = integerOf(exchange.query('limit'), 'limit', 1, limits.callsPageMax, 50)
  const { calls, nextCursor } = await readCalls(ports, filters, cursorOf(exchange.query('cursor')), limit)
  sendPage(exchange, calls, nextCursor)
}

function sendPage(exchange: Exchange, calls: readonly Shown[], nextCursor: number | null): void {
  exchange.json({ calls, next_cursor: nextCursor === null ? null : textOfCursor(nextCursor) })
}
