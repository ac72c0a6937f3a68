/** What the service says that it holds, read through its HTTP routes: every call, every packet, every gap. */
import { contentHash } from './attempts.js'
import type { State } from './lifecycle-oracle.js'
import type { CallFigures, Range, ReadBackCall } from './oracle.js'
import { Connection } from './requests.js'

const pageMax = 1000
const callsPageMax = 200
const connectionsMax = 4

export interface View extends CallFigures {
  readonly call_id: string
  readonly state: State
  readonly completed_at: string | null
  readonly ended_at: string | null
  readonly ai: {
    readonly attempts: number
    readonly attempts_total: number
    readonly redrives: number
    readonly waiting_for: string | null
    readonly next_attempt_at: string | null
    readonly error: string | null
    readonly transcription: string | null
  }
}

async function read<T>(connection: Connection, path: string): Promise<T | null> {
  const answer = await connection.get(path)
  if (answer.kind === 'answered' && answer.status === 404) return null
  if (answer.kind !== 'answered' || answer.status !== 200)
    throw new Error(`${path} was answered ${JSON.stringify(answer).slice(0, 300)}`)
  return JSON.parse(answer.text) as T
}

export async function readViews(port: number): Promise<readonly View[]> {
  const connection = new Connection(port)
  const views: View[] = []
  try {
    for (let cursor: string | null = ''; cursor !== null; ) {
      const path: string = `/v1/calls?limit=${callsPageMax}${cursor === '' ? '' : `&cursor=${cursor}`}`
      const page: { calls: View[]; next_cursor: string | null } | null = await read(connection, path)
      views.push(...(page?.calls ?? []))
      cursor = page?.next_cursor ?? null
    }
  } finally {
    connection.close()
  }
  return views
}

export async function readAllGaps(connection: Connection, call: string): Promise<readonly Range[]> {
  const gaps: Range[] = []
  for (let from: number | null = 0; from !== null; ) {
    const path: string = `/v1/call/${encodeURIComponent(call)}/gaps?from=${from}&limit=${pageMax}`
    const page: { gaps: Range[]; next_from: number | null } | null = await read(connection, path)
    gaps.push(...(page?.gaps ?? []))
    from = page?.next_from ?? null
  }
  return gaps
}

export async function readCall(connection: Connection, call: string): Promise<ReadBackCall> {
  const packets: { sequence: number; contentHash: string }[] = []
  for (let from: number | null = 0; from !== null; ) {
    const path: string = `/v1/call/${encodeURIComponent(call)}/packets?from=${from}&limit=${pageMax}`
    const page: PacketPage | null = await read(connection, path)
    for (const { sequence, data, timestamp } of page?.packets ?? [])
      packets.push({ sequence, contentHash: contentHash(data, timestamp) })
    from = page?.next_from ?? null
  }
  const gaps = await readAllGaps(connection, call)
  return { call, packets, gaps, view: await read<View>(connection, `/v1/call/${encodeURIComponent(call)}`) }
}

/** The content of single packets, or null where one is not stored. */
export async function readStored(
  port: number,
  wanted: readonly { readonly call: string; readonly sequence: number }[],
): Promise<readonly (string | null)[]> {
  const connection = new Connection(port)
  const found: (string | null)[] = []
  try {
    for (const { call, sequence } of wanted) {
      const page: PacketPage | null = await read(
        connection,
        `/v1/call/${encodeURIComponent(call)}/packets?from=${sequence}&limit=1`,
      )
      const [packet] = page?.packets ?? []
      found.push(packet?.sequence === sequence ? contentHash(packet.data, packet.timestamp) : null)
    }
  } finally {
    connection.close()
  }
  return found
}

interface PacketPage {
  readonly packets: readonly { sequence: number; data: string; timestamp: number }[]
  readonly next_from: number | null
}

/** Nothing may be sent meanwhile. The calls that the service lists, and those that the driver knows of. */
export async function readEverything(
  port: number,
  known: Iterable<string>,
): Promise<readonly ReadBackCall[]> {
  const listed = (await readViews(port)).map(({ call_id }) => call_id)
  const calls = [...new Set([...listed, ...known])]
  const found: ReadBackCall[] = []
  const connections = Array.from({ length: connectionsMax }, () => new Connection(port))
  await Promise.all(
    connections.map(async (connection) => {
      for (let call = calls.pop(); call !== undefined; call = calls.pop())
        found.push(await readCall(connection, call))
      connection.close()
    }),
  )
  return found
}
