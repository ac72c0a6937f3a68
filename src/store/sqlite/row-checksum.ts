/**
 * What a row says beside its values: CRC-32 over them and over where they belong, so neither a changed byte nor a row in
 * another one's place is ever taken for what was written. SQLite has no checksums of its own.
 */
import { crc32 } from 'node:zlib'

export interface CallColumns {
  readonly key: number
  readonly call_id: string
  readonly version: number
  readonly state: string
  readonly created_at: number
  readonly due_at: number | null
  readonly ended_at: number | null
  readonly is_settled: 0 | 1
  readonly snapshot: string
}

export function callChecksum(row: CallColumns): number {
  const { key, call_id, version, state, created_at, due_at, ended_at, is_settled, snapshot } = row
  const facts = [key, call_id, version, state, created_at, due_at, ended_at, is_settled]
  return crc32(String(snapshot), crc32(facts.join(' ')))
}

export interface LifecycleColumns {
  readonly callKey: number
  readonly version: number
  readonly type: string
  readonly entry: string
  readonly textChecksum: number | null
}

/** Without the text, which has a checksum of its own: most who read an entry do not read that. */
export function lifecycleChecksum({ callKey, version, type, entry, textChecksum }: LifecycleColumns): number {
  return crc32(String(entry), crc32([callKey, version, type, textChecksum].join(' ')))
}

export interface DetailColumns {
  readonly callKey: number
  readonly name: string
  readonly value: string
}

export function detailChecksum({ callKey, name, value }: DetailColumns): number {
  return crc32(JSON.stringify([callKey, name, value]))
}

export function textChecksum(text: string | Uint8Array): number {
  return crc32(text)
}
