/** In the order of the lifecycle. Not taken from the protocol, whose schemas would come with it into the bundle. */
import type { CallState } from '../protocol/call.js'

export const callStates: readonly CallState[] = [
  'IN_PROGRESS',
  'COMPLETED',
  'PROCESSING_AI',
  'ARCHIVED',
  'FAILED',
]
