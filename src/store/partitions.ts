/** Calls are shared out by partition. Which one a call belongs to never changes, so neither does anything here. */
import { textHash } from './text-hash.js'

export const partitions = 64
const mask = partitions - 1

export function partitionOf(callId: string): number {
  return textHash(callId) & mask
}
