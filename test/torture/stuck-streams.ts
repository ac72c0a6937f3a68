/**
 * A disk that does not answer for seconds, under platform sockets that go on: what does not fit is dropped as missing packets that
 * are told, memory stays within its bound, and the calls go on.
 */
import { MediaReaders } from './media-readers.js'
import { forgetPeak, mebibytes, residentOf } from './memory.js'
import { PlatformStreams } from './platform-streams.js'
import { readJson } from './read-media.js'
import { Connection } from './requests.js'
import { epochMs, killHard, type Stage, sleep } from './stage.js'
import { Strace, syncCalls } from './strace.js'
import type { Verdict } from './verdict.js'

export interface StuckPlan {
  readonly sockets: number
  readonly stuckMs: number
}

/** 160 kB a second for each: a leg's 256 KiB are full after 1.6 s. */
const packetBytes = 1600
const packetsAtOnce = 2
const aroundMs = 1500
const growthBytesMax = 96 * 1024 * 1024

export async function runStuckStreams(stage: Stage, { sockets, stuckMs }: StuckPlan): Promise<Verdict> {
  const settings = { SOCKETS_PER_ADDRESS_MAX: sockets + 10 }
  const service = await stage.service({ dataDir: stage.folder(), settings })
  const pid = service.child.pid as number
  const readers = new MediaReaders(stage, () => service)
  const streams = new PlatformStreams(stage, service.port, { count: sockets, packetBytes, packetsAtOnce })
  await streams.begin()
  await sleep(aroundMs)
  const before = residentOf(pid).bytes
  forgetPeak(pid)
  const connection = new Connection(service.port)
  const strace = await Strace.attach(stage, pid, {
    calls: syncCalls,
    fault: `delay_enter=${stuckMs * 1000}:when=1`,
  })
  await sleep(stuckMs + aroundMs)
  await strace.detach()
  const { peakBytes } = residentOf(pid)
  const sentWhenFree = [...streams.sent]
  await sleep(aroundMs)
  streams.pause()
  const closed = streams.closed
  streams.stop()
  const findings: string[] = []
  let shed = 0
  let packets = 0
  for (const [index, call] of streams.calls.entries()) {
    const view = await ended(connection, call)
    const sent = streams.sent[index] as number
    const told = toldShed(view)
    shed += told
    packets += view.total_received
    // The last ones may be missing at the end of the numbers, where only the total says so.
    const missing = sent - view.total_received
    if (missing !== told)
      findings.push(`${call}: ${missing} of ${sent} packets are missing, and ${told} are told of`)
    if (view.highest_sequence < (sentWhenFree[index] as number)) findings.push(`${call}: it did not go on`)
  }
  const growth = peakBytes - before
  if (closed > 0) findings.push(`${closed} sockets were closed`)
  if (growth > growthBytesMax) findings.push(`it grew by ${mebibytes(growth)} MiB`)
  await readers.stop()
  await killHard(service)
  return {
    counts: { sockets, packets, shed, reads: readers.reads },
    notes: { growthMebibytes: mebibytes(growth) },
    faults: strace.injected().length,
    findings: findings.slice(0, 10),
  }
}

interface View {
  readonly total_received: number
  readonly highest_sequence: number
  readonly legs: readonly { readonly ended_at: string | null }[]
  readonly notes?: readonly { readonly kind: string; readonly text?: string; readonly packets?: number }[]
}

const toldShed = ({ notes = [] }: View): number =>
  notes.reduce(
    (sum, { kind, text, packets = 0 }) => sum + (kind === 'skipped' && text === 'shed' ? packets : 0),
    0,
  )

/** Once its leg's end is on disk. */
async function ended(connection: Connection, call: string): Promise<View> {
  for (const until = epochMs() + 20_000; ; ) {
    const view: View = await readJson(connection, `/v1/call/${call}`)
    if (view.legs.every(({ ended_at }) => ended_at !== null) || epochMs() > until) return view
    await sleep(50)
  }
}
