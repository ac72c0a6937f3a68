/**
 * What else a power cut may leave than the worst: of what was not synced, any sectors in any order. A name that was not
 * synced is there or not; a file is as long as it was synced, as it was written, or ends at a sector between.
 */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { contentOf, filesIn, type Moment, sectorBytes } from './power-disk.js'
import type { Random } from './random.js'

export function writeTornMix({ synced, named, written }: Moment, to: string, random: Random): string {
  for (const name of new Set([...filesIn(synced), ...filesIn(written)])) {
    const [durable, content, fresh] = [synced, named, written].map((folder) => join(folder, name)) as Paths
    const isDurable = existsSync(durable)
    const isOther = isDurable && existsSync(content) && !contentOf(durable).equals(contentOf(content))
    // Removed or replaced, and that is not synced: the old file as a whole, or what came after it.
    if (isDurable && (!existsSync(fresh) || isOther)) {
      if (random.chance(0.5)) writeFileSync(join(to, name), contentOf(durable))
      else if (isOther) writeFileSync(join(to, name), mixOf(contentOf(content), contentOf(fresh), random))
    } else if (isDurable || random.chance(0.5))
      writeFileSync(join(to, name), mixOf(contentOf(content), contentOf(fresh), random))
  }
  return to
}

type Paths = [durable: string, content: string, fresh: string]

export function mixOf(old: Buffer, fresh: Buffer, random: Random): Buffer {
  const shorter = Math.ceil(Math.min(old.length, fresh.length) / sectorBytes)
  const longer = Math.floor(Math.max(old.length, fresh.length) / sectorBytes)
  const between = shorter < longer ? random.integer(shorter, longer) * sectorBytes : fresh.length
  const mixed = Buffer.alloc(random.pick([old.length, fresh.length, between]))
  // Now and then nearly all of it is on disk, or nearly nothing.
  const freshShare = random.pick([0.5, random.next()])
  for (let at = 0; at < mixed.length; at += sectorBytes)
    mixed.set(
      (random.chance(freshShare) ? fresh : old).subarray(at, Math.min(at + sectorBytes, mixed.length)),
      at,
    )
  return mixed
}
