/** A node that owns all calls, or those of the lower half of the partitions alone. */
import type { Owners } from '../../src/store/owners.js'
import { partitionOf, partitions } from '../../src/store/partitions.js'

export function isOfLowerHalf(callId: string): boolean {
  return partitionOf(callId) < partitions / 2
}

export class SomeOwners implements Owners {
  isHalf = false

  owns(callId: string): boolean {
    return !this.isHalf || isOfLowerHalf(callId)
  }
}
