/**
 * Holds the service's account of a call against the simulator's own log of it. Pure: every function returns the
 * differences it finds, an empty list when the accounts agree.
 */
import type { SimulateError } from './errors.js'
import { differencesKept, listedMissingMax } from './limits.js'
import type { Range, SendLog } from './send-log.js'
import type { CallView, PacketsPage, Receipt, TrackView } from './service-answers.js'

/** Which of a track's numbers the service must have. */
export interface TrackAccount {
  /** The sequences 0 … packetCount − 1 are the track's. */
  readonly packetCount: number
  readonly storedCount: number
  readonly missingCount: number
  readonly lateCount: number
  readonly highestStored: number | null
  isStored(sequence: number): boolean
  /** Ascending, and none touches the next. */
  missingRanges(): Range[]
}

export interface TrackTruth {
  readonly track: number
  readonly account: TrackAccount
  /** False where the service can know it only by the platform's numbers: then it may also say nothing. */
  readonly isTotalSaid: boolean
  readonly expectedPacket: ExpectedPacket
}

/** What the service must say of a call. */
export interface CallTruth {
  /** By ascending number, at least one. */
  readonly tracks: readonly TrackTruth[]
  /** Both ends inclusive. */
  readonly duplicates: { readonly least: number; readonly most: number }
  /** What is wrong already with where the service has placed the call's packets. */
  readonly misplaced: readonly Difference[]
}

export interface Difference {
  /** Which number or packet. */
  readonly what: string
  readonly expected: string
  readonly found: string
}

/** An answer that the contract does not allow is a difference too. */
export function breachDifference(breach: SimulateError): Difference {
  return { what: 'answers', expected: 'those of the contract', found: breach.message }
}

/** A receipt against the log, after the answer was entered there. Numbers are exact because a call sends in turn. */
export function compareReceipt(log: SendLog, sequence: number, receipt: Receipt): Difference[] {
  const where = `receipt of sequence ${sequence}`
  const listed = receipt.missingSequences
  const strange = listed.findIndex(
    (missing, index) => log.isStored(missing) || (index > 0 && missing <= (listed[index - 1] ?? 0)),
  )
  return [
    ...differ(`${where}: sequence`, sequence, receipt.sequence),
    ...differ(`${where}: total_received`, log.storedCount, receipt.totalReceived),
    ...differ(`${where}: missing_count`, log.missingCount, receipt.missingCount),
    ...differ(
      `${where}: missing_sequences listed`,
      Math.min(log.missingCount, listedMissingMax),
      receipt.missingSequences.length,
    ),
    ...(strange < 0
      ? []
      : differ(`${where}: missing_sequences`, 'only missing ones, ascending', listed[strange] ?? null)),
  ]
}

/** The numbers of a completed call. The ranges are compared by `compareRanges`, which needs all of them. */
export function compareView(
  { tracks, duplicates: { least, most }, misplaced }: CallTruth,
  view: CallView,
): Difference[] {
  const sum = (figure: (account: TrackAccount) => number) =>
    tracks.reduce((total, { account }) => total + figure(account), 0)
  const isDuplicateCountRight = least <= view.duplicateCount && view.duplicateCount <= most
  const highest = Math.max(...tracks.map(({ account }) => account.highestStored ?? -1))
  return [
    ...misplaced,
    ...differ('packets dropped, because the service could not keep up', 0, view.shedCount),
    ...differ(
      'total_received',
      sum(({ storedCount }) => storedCount),
      view.totalReceived,
    ),
    ...(tracks.every(({ isTotalSaid }) => isTotalSaid)
      ? differ(
          'expected_total_packets',
          sum(({ packetCount }) => packetCount),
          view.expectedTotalPackets,
        )
      : []),
    ...differ('highest_sequence', highest < 0 ? null : highest, view.highestSequence),
    ...differ(
      'missing_count',
      sum(({ missingCount }) => missingCount),
      view.missingCount,
    ),
    ...differ('surplus_count', 0, view.surplusCount),
    ...differ(
      'late_count',
      sum(({ lateCount }) => lateCount),
      view.lateCount,
    ),
    ...(isDuplicateCountRight
      ? []
      : differ('duplicate_count', least === most ? least : `${least} to ${most}`, view.duplicateCount)),
    ...compareTracks(tracks, view),
  ]
}

/** Where the view tells tracks apart, also the figures of each. */
function compareTracks(tracks: readonly TrackTruth[], { tracks: views }: CallView): Difference[] {
  if (views === null)
    return tracks.length === 1 ? [] : differ('tracks', numbersOf(tracks), 'none are told apart')
  return [
    ...differ('tracks', numbersOf(tracks), numbersOf(views)),
    ...tracks.flatMap((truth) => {
      const view = views.find(({ track }) => track === truth.track)
      return view === undefined ? [] : compareTrack(truth, view)
    }),
  ]
}

function compareTrack({ track, account, isTotalSaid }: TrackTruth, view: TrackView): Difference[] {
  const where = `track ${track}`
  const isTotalOpen = !isTotalSaid && view.expectedTotalPackets === null
  return [
    ...differ(`${where}: total_received`, account.storedCount, view.totalReceived),
    ...(isTotalOpen
      ? []
      : differ(`${where}: expected_total_packets`, account.packetCount, view.expectedTotalPackets)),
    ...differ(`${where}: highest_sequence`, account.highestStored, view.highestSequence),
    ...differ(`${where}: missing_count`, account.missingCount, view.missingCount),
    ...differ(`${where}: late_count`, account.lateCount, view.lateCount),
  ]
}

function numbersOf(tracks: readonly { readonly track: number }[]): string {
  return tracks.map(({ track }) => track).join(', ')
}

/** Missing ranges: those of the view, or all of them from the pages of gaps. */
export function compareRanges(expected: readonly Range[], found: readonly Range[], where = ''): Difference[] {
  const differences: Difference[] = []
  for (let index = 0; index < Math.max(expected.length, found.length); index++) {
    const difference = differ(
      `${where}missing range ${index + 1}`,
      printRange(expected[index]),
      printRange(found[index]),
    )
    differences.push(...difference)
    // Once one range is off, those after it are often only shifted.
    if (differences.length === 3) break
  }
  return differences
}

/** What a track must have stored under a sequence; the time is null where it is the service's own. */
export type ExpectedPacket = (sequence: number) => {
  readonly data: string
  readonly timestamp: number | null
}

/**
 * A page of packets that were fetched back: it begins at sequence `from` and answers for everything before its
 * `nextFrom`, so a packet left out is found as well as one changed. At most `differencesKept` are returned.
 */
export function compareStoredPage(request: {
  log: Pick<TrackAccount, 'packetCount' | 'isStored'>
  expectedPacket: ExpectedPacket
  from: number
  page: PacketsPage
  where?: string
}): Difference[] {
  const { log, expectedPacket, from, page, where = '' } = request
  const end = page.nextFrom ?? Math.max(log.packetCount, from)
  const differences: Difference[] = []
  let sequence = from
  const reportLost = (stop: number) => {
    for (; sequence < stop && differences.length < differencesKept; sequence++)
      if (sequence < log.packetCount && log.isStored(sequence))
        differences.push({ what: `${where}packet ${sequence}`, expected: 'stored', found: 'not stored' })
  }
  for (const packet of page.packets) {
    if (differences.length >= differencesKept) break
    reportLost(packet.sequence)
    const what = `${where}packet ${packet.sequence}`
    if (packet.sequence < sequence) {
      differences.push({ what, expected: 'once, in ascending order', found: 'again or out of order' })
      continue
    }
    sequence = packet.sequence + 1
    if (!log.isStored(packet.sequence)) {
      differences.push({ what, expected: 'not stored', found: 'stored' })
      continue
    }
    const expected = expectedPacket(packet.sequence)
    if (packet.data !== expected.data)
      differences.push({ what: `${what}: data`, ...printDataDifference(expected.data, packet.data) })
    if (expected.timestamp !== null)
      differences.push(...differ(`${what}: timestamp`, expected.timestamp, packet.timestamp))
  }
  reportLost(end)
  return differences.slice(0, differencesKept)
}

type Printable = number | string | null

function differ(what: string, expected: Printable, found: Printable): Difference[] {
  return expected === found ? [] : [{ what, expected: String(expected), found: String(found) }]
}

function printRange(range: Range | undefined): string {
  return range === undefined ? 'none' : `${range[0]}–${range[1]}`
}

/** Names the first byte of the audio that differs; audio itself is never printed. */
function printDataDifference(expected: string, found: string): { expected: string; found: string } {
  const expectedBytes = Buffer.from(expected, 'base64')
  const foundBytes = Buffer.from(found, 'base64')
  const at = expectedBytes.findIndex((byte, index) => byte !== foundBytes[index])
  if (at < 0 || at >= foundBytes.length)
    return { expected: `${expected.length} characters`, found: `${found.length} other characters` }
  return {
    expected: `${expectedBytes.length} bytes, byte ${at} is ${expectedBytes[at]}`,
    found: `${foundBytes.length} bytes, byte ${at} is ${foundBytes[at]}`,
  }
}
