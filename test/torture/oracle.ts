/**
 * Pure: was the promise kept? From the driver's history and what was read back, and from nothing of the service's code.
 *
 * For each packet (call, sequence): A = a 202 was seen, R = a 4xx was seen, U = any other outcome, S = it is stored.
 * Always A ⊆ S ⊆ A ∪ U; R ∩ S is empty unless another attempt of the packet is in A ∪ U; a packet is stored once, with
 * the content that was accepted; one attempt at most is told that it was the first.
 */
import type { History, PacketAttempt } from './attempts.js'
import { groupBy } from './group.js'

export type Range = readonly [first: number, last: number]

/** The figures of a call view that follow from its packets. */
export interface CallFigures {
  readonly total_received: number
  readonly expected_total_packets: number | null
  readonly highest_sequence: number | null
  readonly missing_count: number
  readonly missing_ranges: readonly Range[]
  readonly surplus_count: number
}

export interface ReadBackCall {
  readonly call: string
  /** In the order in which they were read. */
  readonly packets: readonly { readonly sequence: number; readonly contentHash: string }[]
  /** Null where only packets were read. */
  readonly view: CallFigures | null
  /** All gaps, or null where they were not read. */
  readonly gaps: readonly Range[] | null
}

export type ViolationKind =
  | 'lost'
  | 'phantom'
  | 'refused-but-stored'
  | 'stored-twice'
  | 'wrong-content'
  | 'accepted-twice'
  | 'false-duplicate'
  | 'odd-answer'
  | 'wrong-view'
  | 'wrong-gaps'

export interface Violation {
  readonly kind: ViolationKind
  readonly call: string
  readonly sequence: number | null
  readonly detail: string
}

const rangesListedMax = 100

export function judge(history: History, stored: readonly ReadBackCall[]): readonly Violation[] {
  const attempts = groupBy(history.packets, ({ call }) => call)
  const totals = groupBy(history.completions, ({ call }) => call)
  const violations: Violation[] = []
  const read = new Set<string>()
  for (const call of stored) {
    read.add(call.call)
    violations.push(...judgePackets(call, attempts.get(call.call) ?? []))
    const completions = totals.get(call.call) ?? []
    const accepted = completions.find(({ outcome }) => outcome === 'accepted')?.totalPackets ?? null
    const possible = completions
      .filter(({ outcome }) => outcome !== 'refused')
      .map(({ totalPackets }) => totalPackets)
    violations.push(...judgeFigures(call, accepted, possible))
  }
  for (const [call, sent] of attempts)
    if (!read.has(call)) violations.push(...judgePackets({ call, packets: [], view: null, gaps: null }, sent))
  return violations
}

function judgePackets(
  { call, packets }: ReadBackCall,
  attempts: readonly PacketAttempt[],
): readonly Violation[] {
  const violations: Violation[] = []
  const report = (kind: ViolationKind, sequence: number, detail: string) =>
    violations.push({ kind, call, sequence, detail })
  const bySequence = groupBy(attempts, ({ sequence }) => sequence)
  const stored = new Map<number, string>()
  for (const { sequence, contentHash } of packets) {
    if (stored.has(sequence)) report('stored-twice', sequence, 'read back twice')
    stored.set(sequence, contentHash)
    if (!bySequence.has(sequence)) report('phantom', sequence, 'never sent')
  }
  for (const [sequence, ofPacket] of bySequence)
    judgePacket(ofPacket, stored.get(sequence) ?? null, (kind, detail) => report(kind, sequence, detail))
  return violations
}

function judgePacket(
  attempts: readonly PacketAttempt[],
  storedHash: string | null,
  report: (kind: ViolationKind, detail: string) => void,
): void {
  const accepted = attempts.filter(({ outcome }) => outcome === 'accepted')
  const duplicates = attempts.filter(({ outcome }) => outcome === 'duplicate')
  const unknown = attempts.filter(({ outcome }) => outcome === 'unknown')
  const acknowledged = accepted.length + duplicates.length

  if (acknowledged > 0 && storedHash === null)
    report(
      'lost',
      `acknowledged ${acknowledged} times, first by attempt ${[...accepted, ...duplicates][0]?.id}`,
    )
  if (acknowledged + unknown.length === 0 && storedHash !== null)
    report(
      'refused-but-stored',
      `every attempt was refused: ${attempts.map(({ detail }) => detail).join(', ')}`,
    )
  if (accepted.length > 1)
    report(
      'accepted-twice',
      `attempts ${accepted.map(({ id }) => id).join(' and ')} were both told to be the first`,
    )
  // A duplicate of what? Only an attempt that was sent before it was answered can be its original.
  for (const { id, doneAt } of duplicates)
    if (
      !attempts.some(
        (other) => other.id !== id && other.outcome !== 'refused' && other.sentAt <= (doneAt ?? 0),
      )
    )
      report('false-duplicate', `attempt ${id} was called a duplicate, and no other can have been stored`)
  for (const { id, outcome, detail } of attempts)
    if ((outcome === 'refused' && detail !== '409') || detail === '202 unreadable')
      report('odd-answer', `attempt ${id} of a valid packet: ${detail}`)

  if (storedHash === null) return
  // A 202 for the first one settles whose content it is; without one it may be that of any attempt that was sent.
  const owners = accepted.length > 0 ? accepted : attempts.filter(({ outcome }) => outcome !== 'refused')
  if (owners.length > 0 && !owners.some(({ contentHash }) => contentHash === storedHash))
    report(
      'wrong-content',
      `stored ${storedHash}, sent ${owners.map(({ contentHash }) => contentHash).join(', ')}`,
    )
}

function judgeFigures(
  { call, packets, view, gaps }: ReadBackCall,
  accepted: number | null,
  possible: readonly number[],
): readonly Violation[] {
  const violations: Violation[] = []
  const report = (kind: ViolationKind, detail: string) =>
    violations.push({ kind, call, sequence: null, detail })
  const total = view?.expected_total_packets ?? null
  if (accepted !== null && view !== null && total !== accepted)
    report('wrong-view', `expected_total_packets is ${total}, and ${accepted} was acknowledged`)
  if (total !== null && !possible.includes(total))
    report('wrong-view', `expected_total_packets is ${total}, which was never sent`)

  const expected = figuresOf(
    packets.map(({ sequence }) => sequence),
    total,
  )
  if (view !== null) {
    const compare = (name: keyof CallFigures, value: unknown) => {
      if (JSON.stringify(view[name]) !== JSON.stringify(value))
        report('wrong-view', `${name} is ${JSON.stringify(view[name])} instead of ${JSON.stringify(value)}`)
    }
    compare('total_received', expected.received)
    compare('highest_sequence', expected.highest)
    compare('missing_count', expected.missing)
    compare('surplus_count', expected.surplus)
    compare('missing_ranges', expected.gaps.slice(0, rangesListedMax))
  }
  if (gaps !== null && JSON.stringify(gaps) !== JSON.stringify(expected.gaps))
    report('wrong-gaps', `${JSON.stringify(gaps)} instead of ${JSON.stringify(expected.gaps)}`)
  return violations
}

interface Figures {
  readonly received: number
  readonly highest: number | null
  readonly missing: number
  readonly surplus: number
  readonly gaps: readonly Range[]
}

/** Counted against the total where it is known, else up to the highest number. */
export function figuresOf(sequences: readonly number[], total: number | null): Figures {
  const sorted = [...new Set(sequences)].sort((a, b) => a - b)
  const highest = sorted.at(-1) ?? null
  const end = total ?? (highest ?? -1) + 1
  const gaps: Range[] = []
  let next = 0
  for (const sequence of sorted) {
    if (sequence >= end) break
    if (sequence > next) gaps.push([next, sequence - 1])
    next = sequence + 1
  }
  if (next < end) gaps.push([next, end - 1])
  return {
    received: sorted.length,
    highest,
    missing: gaps.reduce((sum, [first, last]) => sum + last - first + 1, 0),
    surplus: sorted.filter((sequence) => sequence >= end).length,
    gaps,
  }
}

/** One line a kind, with a few examples: what a failing run prints. */
export function describe(violations: readonly Violation[]): string {
  return [...groupBy(violations, ({ kind }) => kind)]
    .map(([kind, ofKind]) => {
      const examples = ofKind
        .slice(0, 3)
        .map(({ call, sequence, detail }) => `${call}/${sequence}: ${detail}`)
      return `${kind} × ${ofKind.length} (${examples.join('; ')})`
    })
    .join('\n')
}
