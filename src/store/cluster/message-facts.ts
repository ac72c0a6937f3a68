/**
 * What supervisors are told of the packets of a message, in the order of their appends. Little endian, 16 bytes each:
 *
 *     0 u32 received of the track   4 u32 missing   8 u32 skipped
 *     12 u8 kind   13 u8 flags: late, first, list follows   14 u8 state of the call   15 u8 length of the list
 *
 * An accepted packet is the next record, which has its call, track, number and time. The others say where they belong:
 *
 *     16 f64 call key   24 f64 time   32 u32 number, the first one of a block   36 u8 track   37 3 × 0
 *
 * and of a block the next `records` records are what of it was new:
 *
 *     40 u16 packets   42 u16 accepted   44 u16 duplicates   46 u16 late   48 u16 records   50 u16 0
 *
 * Then the list, if it follows: missing numbers, u32 each, where those of the track are not what they were at its last fact.
 */
import assert from 'node:assert/strict'
import { limits } from '../../limits.js'
import type { CallState } from '../../protocol/call.js'
import { callStates } from '../../protocol/call-states.js'
import { UnreadableMessage } from './unreadable-message.js'

interface Account {
  readonly state: CallState
  readonly isFirst: boolean
  /** Of the track, with this packet. */
  readonly totalReceived: number
  readonly missingCount: number
  readonly skippedCount: number
}

interface Place {
  readonly callKey: number
  readonly receivedAt: number
  readonly track: number
  readonly sequence: number
}

/** The first missing numbers; null where they are the same as at the track's last fact. */
type Listed = { readonly missing: readonly number[] | null }

export type Fact =
  | (Account & Listed & { readonly kind: 'accepted'; readonly isLate: boolean })
  | (Account & Listed & Place & { readonly kind: 'duplicate' | 'rejected' })
  | (Account &
      Place & {
        readonly kind: 'block'
        readonly count: number
        readonly accepted: number
        readonly duplicates: number
        readonly late: number
        /** Those that hold what was new. */
        readonly records: number
      })

const kinds = ['accepted', 'duplicate', 'rejected', 'block'] as const
const late = 1
const first = 2
const listed = 4
const accountBytes = 16
const placeBytes = 24
const blockBytes = 12

assert(limits.missingListedMax <= 0xff, 'the length of a list fits its byte')
assert(limits.blockPacketsMax <= 0xffff, 'the packets of a block fit their bits')

/** Records of the message that the fact is about. */
export function recordsOf(fact: Fact): number {
  if (fact.kind === 'accepted') return 1
  return fact.kind === 'block' ? fact.records : 0
}

const listOf = (fact: Fact) => (fact.kind === 'block' ? null : fact.missing)

function bytesOf(fact: Fact): number {
  const placed = fact.kind === 'accepted' ? 0 : placeBytes
  return accountBytes + placed + (fact.kind === 'block' ? blockBytes : 0) + 4 * (listOf(fact)?.length ?? 0)
}

export function factsBytes(facts: readonly Fact[]): number {
  return facts.reduce((sum, fact) => sum + bytesOf(fact), 0)
}

export function writeFacts(target: Buffer, start: number, facts: readonly Fact[]): void {
  let at = start
  for (const fact of facts) at = writeFact(target, at, fact)
}

function writeFact(target: Buffer, start: number, fact: Fact): number {
  const { kind, state, isFirst, totalReceived, missingCount, skippedCount } = fact
  const list = listOf(fact)
  const isLate = fact.kind === 'accepted' && fact.isLate
  target.writeUInt32LE(totalReceived, start)
  target.writeUInt32LE(missingCount, start + 4)
  target.writeUInt32LE(skippedCount, start + 8)
  target[start + 12] = kinds.indexOf(kind)
  target[start + 13] = (isLate ? late : 0) | (isFirst ? first : 0) | (list === null ? 0 : listed)
  target[start + 14] = callStates.indexOf(state)
  target[start + 15] = list?.length ?? 0
  let at = start + accountBytes
  if (fact.kind !== 'accepted') at = writePlace(target, at, fact)
  if (fact.kind === 'block')
    for (const count of [fact.count, fact.accepted, fact.duplicates, fact.late, fact.records, 0])
      at = target.writeUInt16LE(count, at)
  for (const sequence of list ?? []) at = target.writeUInt32LE(sequence, at)
  return at
}

function writePlace(target: Buffer, at: number, { callKey, receivedAt, sequence, track }: Place): number {
  target.writeDoubleLE(callKey, at)
  target.writeDoubleLE(receivedAt, at + 8)
  target.writeUInt32LE(sequence, at + 16)
  return target.writeUInt32LE(track, at + 20)
}

export function readFacts(source: Buffer): readonly Fact[] {
  const facts: Fact[] = []
  for (let at = 0; at < source.length; ) {
    const fact = readFact(source, at)
    facts.push(fact)
    at += bytesOf(fact)
  }
  return facts
}

function readFact(source: Buffer, start: number): Fact {
  const check = (isRight: boolean, what: string) => {
    if (!isRight) throw new UnreadableMessage(`a fact of it ${what}`)
  }
  check(start + accountBytes <= source.length, 'is cut')
  const kind = kinds[source[start + 12] as number]
  const flags = source[start + 13] as number
  const state = callStates[source[start + 14] as number]
  const length = source[start + 15] as number
  const isListed = (flags & listed) !== 0
  if (kind === undefined || state === undefined)
    throw new UnreadableMessage('a fact of it is of a kind or state that no version knows')
  check(flags <= (late | first | listed), 'has flags that no version knows')
  check(isListed ? length <= limits.missingListedMax : length === 0, 'has a list that cannot be')
  check(kind === 'accepted' || (flags & late) === 0, 'is late without a packet')
  check(kind !== 'block' || !isListed, 'is a block with a list')
  const placed = kind === 'accepted' ? 0 : placeBytes
  const listAt = start + accountBytes + placed + (kind === 'block' ? blockBytes : 0)
  check(listAt + 4 * length <= source.length, 'is cut')
  const account = {
    state,
    isFirst: (flags & first) !== 0,
    totalReceived: source.readUInt32LE(start),
    missingCount: source.readUInt32LE(start + 4),
    skippedCount: source.readUInt32LE(start + 8),
  }
  const missing = isListed
    ? Array.from({ length }, (_, index) => source.readUInt32LE(listAt + 4 * index))
    : null
  if (kind === 'accepted') return { kind, ...account, isLate: (flags & late) !== 0, missing }
  const place = readPlace(source, start + accountBytes)
  if (kind !== 'block') return { kind, ...account, ...place, missing }
  return { kind, ...account, ...place, ...readBlock(source, start + accountBytes + placeBytes) }
}

function readPlace(source: Buffer, at: number): Place {
  const callKey = source.readDoubleLE(at)
  const receivedAt = source.readDoubleLE(at + 8)
  const track = source.readUInt32LE(at + 20)
  if (
    !Number.isSafeInteger(callKey) ||
    callKey < 1 ||
    !Number.isFinite(receivedAt) ||
    track >= limits.tracksMax
  )
    throw new UnreadableMessage('a fact of it has no valid place')
  return { callKey, receivedAt, track, sequence: source.readUInt32LE(at + 16) }
}

function readBlock(source: Buffer, at: number) {
  const [count = 0, accepted = 0, duplicates = 0, lateCount = 0, records = 0, rest] = [0, 2, 4, 6, 8, 10].map(
    (offset) => source.readUInt16LE(at + offset),
  )
  const isRight =
    count >= 1 &&
    count <= limits.blockPacketsMax &&
    accepted + duplicates <= count &&
    lateCount <= accepted &&
    records <= accepted &&
    (records > 0 || accepted === 0) &&
    rest === 0
  if (!isRight) throw new UnreadableMessage('a block of it has counts that cannot be')
  return { count, accepted, duplicates, late: lateCount, records }
}
