/**
 * Which calls this node decides about. For no others does it deliver deadlines, erase by age or analyse: their owner does
 * (`docs/design/cluster.md`).
 */
import type { CallId } from '../protocol/call-id.js'

export interface Owners {
  owns(callId: CallId): boolean
}

/** Of a service that shares its calls with no other node. */
export const ownsAll: Owners = { owns: () => true }
