/**
 * One page of a call's packets in the order of their sequences, out of its runs.
 *
 * Runs follow the order of arrival, so they may overlap where packets were late. They are read by their first
 * sequence until no further run can hold one of the page's packets; memory is bounded by the page and one run.
 */
import { crc32 } from 'node:zlib'
import { limits } from '../../limits.js'
import { recordEnd, recordSequence, recordStarts } from './packet-record.js'
import type { Db } from './schema.js'

interface Candidate {
  readonly sequence: number
  readonly record: Buffer
}

interface Run {
  readonly key: number
  readonly first: number
}

export class PacketPages {
  readonly #runs
  readonly #records

  constructor(db: Db) {
    this.#runs = db.prepare<[number, number], Run>(
      'SELECT key, first_sequence AS first FROM runs WHERE call_key = ? AND last_sequence >= ? ORDER BY first_sequence',
    )
    this.#records = db.prepare<[number], { checksum: number; records: Buffer }>(
      'SELECT checksum, records FROM runs WHERE key = ?',
    )
  }

  page(callKey: number, from: number, limit: number): { records: ArrayBuffer; nextFrom: number | null } {
    // One more than the page tells where the next one starts.
    let candidates: Candidate[] = []
    for (const run of this.#runs.all(callKey, from)) {
      const full = candidates.length > limit
      if (full && run.first > (candidates[limit] as Candidate).sequence) break
      candidates = smallest(candidates, this.#candidates(run.key, from), limit + 1)
    }
    return cut(candidates, limit)
  }

  #candidates(runKey: number, from: number): Candidate[] {
    const row = this.#records.get(runKey)
    if (row === undefined) throw new Error(`run ${runKey} is gone`)
    const { checksum, records } = row
    if (crc32(records) !== checksum) throw new Error(`run ${runKey} is damaged`)
    const found: Candidate[] = []
    for (const at of recordStarts(records)) {
      const sequence = recordSequence(records, at)
      if (sequence >= from) found.push({ sequence, record: records.subarray(at, recordEnd(records, at)) })
    }
    return found
  }
}

/** The `count` lowest of both. What is kept of `more` is copied, so that it does not hold its whole run in memory. */
function smallest(kept: readonly Candidate[], more: readonly Candidate[], count: number): Candidate[] {
  const fresh = new Set(more)
  return [...kept, ...more]
    .sort((a, b) => a.sequence - b.sequence)
    .slice(0, count)
    .map((candidate) =>
      fresh.has(candidate)
        ? { sequence: candidate.sequence, record: Buffer.from(candidate.record) }
        : candidate,
    )
}

function cut(
  candidates: readonly Candidate[],
  limit: number,
): { records: ArrayBuffer; nextFrom: number | null } {
  let count = 0
  let bytes = 0
  for (const { record } of candidates.slice(0, limit)) {
    if (count > 0 && bytes + record.length > limits.pageBytesMax) break
    bytes += record.length
    count++
  }
  const page = new Uint8Array(bytes)
  let at = 0
  for (const { record } of candidates.slice(0, count)) {
    page.set(record, at)
    at += record.length
  }
  return { records: page.buffer, nextFrom: candidates[count]?.sequence ?? null }
}
