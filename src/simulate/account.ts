/**
 * Holds the service's account of a call against the simulator's own log of it. Pure: every function returns the
 * differences it finds, an empty list when the accounts agree.
 */
import type { SimulateError } from './errors.js'
import { differencesKept, listedMissingMax } from './limits.js'
import type { Range, SendLog } from './send-log.js'
import type { CallView, PacketsPage, Receipt } from './service-answers.js'

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
export function compareView(log: SendLog, view: CallView): Difference[] {
  const { least, most } = log.duplicates
  const isDuplicateCountRight = least <= view.duplicateCount && view.duplicateCount <= most
  return [
    ...differ('total_received', log.storedCount, view.totalReceived),
    ...differ('expected_total_packets', log.packetCount, view.expectedTotalPackets),
    ...differ('highest_sequence', log.highestStored, view.highestSequence),
    ...differ('missing_count', log.missingCount, view.missingCount),
    ...differ('surplus_count', 0, view.surplusCount),
    ...differ('late_count', log.lateCount, view.lateCount),
    ...(isDuplicateCountRight
      ? []
      : differ('duplicate_count', least === most ? least : `${least} to ${most}`, view.duplicateCount)),
  ]
}

/** Missing ranges: those of the view, or all of them from the pages of gaps. */
export function compareRanges(expected: readonly Range[], found: readonly Range[]): Difference[] {
  const differences: Difference[] = []
  for (let index = 0; index < Math.max(expected.length, found.length); index++) {
    const difference = differ(
      `missing range ${index + 1}`,
      printRange(expected[index]),
      printRange(found[index]),
    )
    differences.push(...difference)
    // Once one range is off, those after it are often only shifted.
    if (differences.length === 3) break
  }
  return differences
}

/** What a call must have stored under a sequence. */
export type ExpectedPacket = (sequence: number) => { readonly data: string; readonly timestamp: number }

/**
 * A page of packets that were fetched back: it begins at sequence `from` and answers for everything before its
 * `nextFrom`, so a packet left out is found as well as one changed. At most `differencesKept` are returned.
 */
export function compareStoredPage(request: {
  log: SendLog
  expectedPacket: ExpectedPacket
  from: number
  page: PacketsPage
}): Difference[] {
  const { log, expectedPacket, from, page } = request
  const end = page.nextFrom ?? Math.max(log.packetCount, from)
  const differences: Difference[] = []
  let sequence = from
  const reportLost = (stop: number) => {
    for (; sequence < stop && differences.length < differencesKept; sequence++)
      if (sequence < log.packetCount && log.isStored(sequence))
        differences.push({ what: `packet ${sequence}`, expected: 'stored', found: 'not stored' })
  }
  for (const packet of page.packets) {
    if (differences.length >= differencesKept) break
    reportLost(packet.sequence)
    const what = `packet ${packet.sequence}`
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
