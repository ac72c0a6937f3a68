/** Hashes of names. Partitions rest on `textHash`, so what it returns never changes. */

/** FNV-1a over the characters, 32 bits, with the last step of MurmurHash3: names often differ in their last characters alone. */
export function textHash(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return mixed(hash)
}

/** The last step of MurmurHash3, unsigned. */
export function mixed(hash: number): number {
  let mix = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  mix = Math.imul(mix ^ (mix >>> 13), 0xc2b2ae35)
  return (mix ^ (mix >>> 16)) >>> 0
}
