/** Calls are shared out by partition. Which one a call belongs to never changes, so neither does anything here. */

export const partitions = 64
const mask = partitions - 1

/** FNV-1a over the characters, 32 bits, with the last step of MurmurHash3. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

export function partitionOf(callId: string): number {
  return hashOf(callId) & mask
}
