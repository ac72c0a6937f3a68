/** Without the schemas, which the threads of the store have no use for: to load them took each of them longer than all else. */
import type { CallState } from './call.js'

export const callStates: readonly CallState[] = [
  'IN_PROGRESS',
  'COMPLETED',
  'PROCESSING_AI',
  'ARCHIVED',
  'FAILED',
]
