/** A call that accepts what a media stream tells it. */
import type { BlockMessage } from '../../src/actors/call-messages.js'
import { callId } from './calls.js'

export function settle({ block, replyTo }: BlockMessage): void {
  const { track, sequence, count } = block
  replyTo.answered({
    kind: 'block',
    callId: callId('c1'),
    track,
    first: sequence,
    count,
    accepted: count,
    duplicates: 0,
    totalReceived: 0,
    missingCount: 0,
    receivedAt: 0,
    isFirst: false,
    lateCount: 0,
    skippedCount: 0,
    heard: 0,
  })
}
