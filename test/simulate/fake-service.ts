/**
 * A small service with the HTTP contract, for the tests of the simulated PBX: a Map of packets for each call, nothing
 * shared with the code under test. It can be slow to end calls, break connections, be overloaded, and lie.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

interface FakePacket {
  readonly sequence: number
  readonly data: string
  readonly timestamp: number
}

interface FakeCall {
  readonly packets: Map<number, FakePacket>
  total: number | null
  completedAtMs: number
  highest: number
  late: number
  duplicates: number
}

type Answer = Record<string, unknown>

export interface FakeBehaviour {
  readonly graceMs: number
  /** False: a completed call stays in PROCESSING_AI for ever. */
  readonly endsCalls: boolean
  /** Every n-th packet request is carried out, but its connection is broken instead of answered. */
  readonly breakEvery: number
  /** Every n-th packet request is answered 503 with `Retry-After: 0`, without being carried out. */
  readonly overloadEvery: number
  /** Changes a packet before it is kept; null loses it after its 202. */
  readonly keep: (packet: FakePacket) => FakePacket | null
  readonly receipt: (receipt: Answer) => Answer
  readonly view: (view: Answer) => Answer
  readonly gaps: (gaps: number[][]) => number[][]
}

const honest: FakeBehaviour = {
  graceMs: 150,
  endsCalls: true,
  breakEvery: 0,
  overloadEvery: 0,
  keep: (packet) => packet,
  receipt: (receipt) => receipt,
  view: (view) => view,
  gaps: (gaps) => gaps,
}

export interface FakeService {
  readonly url: string
  readonly calls: ReadonlyMap<string, FakeCall>
  /** How often each fault was injected. */
  readonly injected: { breaks: number; overloads: number }
  /** The distinct connections that were made. */
  readonly connectionCount: () => number
  close(): Promise<void>
}

export async function startFakeService(behaviour: Partial<FakeBehaviour> = {}): Promise<FakeService> {
  const fake = { ...honest, ...behaviour }
  const calls = new Map<string, FakeCall>()
  const injected = { breaks: 0, overloads: 0 }
  let connections = 0
  let packetRequests = 0

  const takePacket = (callId: string, body: string, response: ServerResponse) => {
    packetRequests++
    if (fake.overloadEvery > 0 && packetRequests % fake.overloadEvery === 0) {
      injected.overloads++
      response.setHeader('retry-after', '0')
      return reply(response, 503, { title: 'overloaded' })
    }
    const { status, receipt } = receivePacket(fake, calls, callId, JSON.parse(body))
    if (fake.breakEvery > 0 && packetRequests % fake.breakEvery === 0) {
      injected.breaks++
      return void response.socket?.destroy()
    }
    reply(response, status, fake.receipt(receipt))
  }

  const server = createServer((request, response) => {
    readBody(request, (body) => {
      const url = new URL(request.url ?? '/', 'http://fake')
      const [, , first = '', second = '', third = ''] = url.pathname.split('/')
      const callId = second === 'stream' || second === 'complete' ? third : second
      const call = calls.get(callId)
      if (url.pathname === '/') return reply(response, 200, { service: 'fake' })
      if (first !== 'call') return reply(response, 404, { title: 'no such page' })
      if (second === 'stream') return takePacket(callId, body, response)
      if (call === undefined) return reply(response, 404, { title: `call ${callId} is unknown` })
      if (second === 'complete') return completeCall(call, callId, JSON.parse(body), response)
      const from = Number(url.searchParams.get('from') ?? 0)
      const limit = Number(url.searchParams.get('limit') ?? 100)
      if (third === 'gaps') return reply(response, 200, pageOfGaps(fake.gaps(gapsOf(call)), from, limit))
      if (third === 'packets') return reply(response, 200, pageOfPackets(call, from, limit))
      reply(response, 200, fake.view(viewOf(fake, callId, call)))
    })
  })
  server.on('connection', () => connections++)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    calls,
    injected,
    connectionCount: () => connections,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function readBody(request: IncomingMessage, then: (body: string) => void): void {
  let body = ''
  request.setEncoding('utf8')
  request.on('data', (text: string) => {
    body += text
  })
  request.on('end', () => then(body))
}

function reply(response: ServerResponse, status: number, body: Answer): void {
  response.statusCode = status
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify(body))
}

function receivePacket(
  fake: FakeBehaviour,
  calls: Map<string, FakeCall>,
  callId: string,
  packet: FakePacket,
) {
  const fresh = { packets: new Map(), total: null, completedAtMs: 0, highest: -1, late: 0, duplicates: 0 }
  const call: FakeCall = calls.get(callId) ?? fresh
  calls.set(callId, call)
  const isStored = call.packets.has(packet.sequence)
  const isOver = call.total !== null && Date.now() - call.completedAtMs >= fake.graceMs
  const status = isStored ? 'duplicate' : isOver ? 'rejected' : 'accepted'
  if (status === 'duplicate') call.duplicates++
  if (status === 'accepted') {
    const kept = fake.keep(packet)
    if (kept !== null) call.packets.set(packet.sequence, kept)
    if (packet.sequence < call.highest) call.late++
    call.highest = Math.max(call.highest, packet.sequence)
  }
  const missing = gapsOf(call).flatMap(([first = 0, last = 0]) =>
    Array.from({ length: last - first + 1 }, (_, offset) => first + offset),
  )
  const receipt = {
    status,
    call_id: callId,
    sequence: packet.sequence,
    total_received: call.packets.size,
    missing_sequences: missing.slice(0, 100),
    missing_count: missing.length,
    duplicate: isStored,
  }
  return { status: status === 'rejected' ? 409 : 202, receipt }
}

function completeCall(
  call: FakeCall,
  callId: string,
  body: { total_packets: number },
  response: ServerResponse,
) {
  if (call.total === null) call.completedAtMs = Date.now()
  call.total = body.total_packets
  reply(response, 202, { status: 'accepted', call_id: callId, expected_total_packets: call.total })
}

function gapsOf(call: FakeCall): number[][] {
  const gaps: number[][] = []
  const end = call.total ?? call.highest + 1
  for (let sequence = 0; sequence < end; sequence++) {
    if (call.packets.has(sequence)) continue
    const previous = gaps.at(-1)
    if (previous?.[1] === sequence - 1) previous[1] = sequence
    else gaps.push([sequence, sequence])
  }
  return gaps
}

function pageOfGaps(gaps: number[][], from: number, limit: number): Answer {
  const rest = gaps.filter(([, last = 0]) => last >= from)
  return { gaps: rest.slice(0, limit), next_from: rest[limit]?.[0] ?? null }
}

function pageOfPackets(call: FakeCall, from: number, limit: number): Answer {
  const rest = [...call.packets.values()]
    .filter(({ sequence }) => sequence >= from)
    .sort((a, b) => a.sequence - b.sequence)
  return { packets: rest.slice(0, limit), next_from: rest[limit]?.sequence ?? null }
}

function viewOf(fake: FakeBehaviour, callId: string, call: FakeCall): Answer {
  const isOver = call.total !== null && Date.now() - call.completedAtMs >= fake.graceMs
  const endState = fake.endsCalls ? 'ARCHIVED' : 'PROCESSING_AI'
  const gaps = gapsOf(call)
  return {
    call_id: callId,
    state: isOver ? endState : call.total === null ? 'IN_PROGRESS' : 'COMPLETED',
    total_received: call.packets.size,
    expected_total_packets: call.total,
    highest_sequence: call.highest < 0 ? null : call.highest,
    missing_count: gaps.reduce((sum, [first = 0, last = 0]) => sum + last - first + 1, 0),
    missing_ranges: gaps.slice(0, 100),
    surplus_count: 0,
    late_count: call.late,
    duplicate_count: call.duplicates,
    ai: {
      transcription: isOver && fake.endsCalls ? `Words of ${callId}` : null,
      sentiment: null,
      error: null,
    },
  }
}
