/**
 * Is the write-ahead log what a crash may leave behind?
 *
 * SQLite recovers a log up to its first damaged frame and drops the rest without a word: right after a crash, where
 * the rest was never synced, but a silent loss of acknowledged packets where the disk damaged an older frame. The two
 * can be told apart, because every commit is fsynced before the next one is written: what a crash leaves half-written
 * is the last transaction only. So a damaged frame whose transaction is followed by another commit of the same log
 * (the same salt) was once on disk, and is damage. File format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
 */
import { closeSync, fsyncSync, ftruncateSync, openSync, readSync } from 'node:fs'

const headerBytes = 32
const frameHeaderBytes = 24
/** The least that a disk writes as a whole. */
const sectorBytes = 512
const magicLittleEndian = 0x377f0682
const magicBigEndian = 0x377f0683

export type WalVerdict =
  | { readonly kind: 'missing' }
  | { readonly kind: 'empty' }
  | { readonly kind: 'whole'; readonly frames: number }
  /** Half-written at its end, as a crash may leave it: nothing that was acknowledged is lost. */
  | ({ readonly kind: 'torn'; readonly frame: number } & Remains)
  /** `commitsAfter`: commits behind the damage that SQLite would drop. */
  | ({ readonly kind: 'damaged'; readonly frame: number; readonly commitsAfter: number } & Remains)

interface Remains {
  /** From this byte on there are frames of this log that SQLite drops, and does not erase; null: none. */
  readonly remainsAt: number | null
}

/** Reads the log at `path`. Throws what the file system throws. */
export function checkWal(path: string): WalVerdict {
  const file = openIfThere(path)
  if (file === null) return { kind: 'missing' }
  try {
    return checkOpenWal(file)
  } finally {
    closeSync(file)
  }
}

function openIfThere(path: string): number | null {
  try {
    return openSync(path, 'r')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}

interface Checksum {
  a: number
  b: number
}

function checkOpenWal(file: number): WalVerdict {
  const header = Buffer.alloc(headerBytes)
  if (readSync(file, header, 0, headerBytes, 0) < headerBytes) return { kind: 'empty' }
  const magic = header.readUInt32BE(0)
  const sum: Checksum = { a: 0, b: 0 }
  const isBigEndian = magic === magicBigEndian
  if (magic !== magicLittleEndian && !isBigEndian) return headerDamaged(file)
  add(sum, header, 0, 24, isBigEndian)
  if (sum.a !== header.readUInt32BE(24) || sum.b !== header.readUInt32BE(28)) return headerDamaged(file)
  return checkFrames(file, header, sum, isBigEndian)
}

/** SQLite syncs the header before it writes a frame, so a header that does not fit stands before no frames. */
function headerDamaged(file: number): WalVerdict {
  const frame = Buffer.alloc(frameHeaderBytes)
  const hasFrames = readSync(file, frame, 0, frameHeaderBytes, headerBytes) === frameHeaderBytes
  // The next log has another salt: nothing of this one can be taken for its own.
  const remains = { frame: 0, remainsAt: null }
  return hasFrames ? { kind: 'damaged', ...remains, commitsAfter: 1 } : { kind: 'torn', ...remains }
}

function checkFrames(file: number, header: Buffer, sum: Checksum, isBigEndian: boolean): WalVerdict {
  const pageBytes = header.readUInt32BE(8)
  const frame = Buffer.alloc(frameHeaderBytes + pageBytes)
  let damagedAt: number | null = null
  let commitsBehind = 0
  let remainsAt: number | null = null
  let valid = 0
  for (let index = 0; ; index++) {
    const at = headerBytes + index * frame.length
    if (readSync(file, frame, 0, frame.length, at) < frame.length) break
    const hasSalt = frame.compare(header, 16, 24, 8, 16) === 0
    const isLinked = fits(frame, sum, isBigEndian)
    sum.a = frame.readUInt32BE(16)
    sum.b = frame.readUInt32BE(20)
    // Where a sector ends before the salt, a half-written frame may have the size field of an older log's commit.
    const isCommit = frame.readUInt32BE(4) !== 0 && (isLinked || (at + 8) % sectorBytes !== 0)
    if (damagedAt === null) {
      // What an older log left behind begins where the salt changes.
      if (hasSalt && isLinked) {
        valid++
        continue
      }
      damagedAt = index
    }
    if (!hasSalt) continue
    remainsAt ??= at
    if (isCommit) commitsBehind++
  }
  if (damagedAt === null) return { kind: 'whole', frames: valid }
  // The first commit behind the damage ends the damaged transaction itself, which may never have been synced.
  if (commitsBehind > 1) return { kind: 'damaged', frame: damagedAt, commitsAfter: commitsBehind, remainsAt }
  return { kind: 'torn', frame: damagedAt, remainsAt }
}

/**
 * Takes away what SQLite drops. It would go on writing in front of it with the same salt, and after the next crash the
 * remains would look like commits that were lost.
 */
export function cutRemains(path: string, verdict: WalVerdict): void {
  if ((verdict.kind !== 'torn' && verdict.kind !== 'damaged') || verdict.remainsAt === null) return
  const file = openSync(path, 'r+')
  try {
    ftruncateSync(file, verdict.remainsAt)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

function fits(frame: Buffer, sum: Checksum, isBigEndian: boolean): boolean {
  add(sum, frame, 0, 8, isBigEndian)
  add(sum, frame, frameHeaderBytes, frame.length, isBigEndian)
  return sum.a === frame.readUInt32BE(16) && sum.b === frame.readUInt32BE(20)
}

/** SQLite's cumulative checksum over 32-bit words, taken in the byte order that the magic names. */
function add(sum: Checksum, bytes: Buffer, first: number, end: number, isBigEndian: boolean): void {
  let { a, b } = sum
  for (let at = first; at < end; at += 8) {
    const x = isBigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at)
    const y = isBigEndian ? bytes.readUInt32BE(at + 4) : bytes.readUInt32LE(at + 4)
    a = (a + x + b) >>> 0
    b = (b + y + a) >>> 0
  }
  sum.a = a
  sum.b = b
}
