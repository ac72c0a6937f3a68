/** What a client makes of its messages: rows that are replaced, and events applied to them in order. */

import type { FeedMessage } from '../../src/protocol/feed.js'
import { isIntact } from '../../src/protocol/intact.js'

export interface Seen {
  readonly state: string
  readonly total_received: number
  readonly missing_count: number
}

export function pictureOf(messages: readonly FeedMessage[]): Map<string, Seen> {
  const calls = new Map<string, Seen>()
  const change = (callId: string, seen: Partial<Seen>) => {
    const before = calls.get(callId) ?? { state: 'IN_PROGRESS', total_received: 0, missing_count: 0 }
    calls.set(callId, { ...before, ...seen })
  }
  const replace = (rows: readonly (Seen & { readonly call_id: string })[]) => {
    for (const { call_id, state, total_received, missing_count } of rows)
      calls.set(call_id, { state, total_received, missing_count })
  }
  for (const message of messages) {
    if (message.event === 'reset') calls.clear()
    else if (message.event === 'snapshot') replace(message.calls.filter(isIntact))
    else if (message.event === 'floor') {
      replace(message.changed)
      for (const callId of message.gone) calls.delete(callId)
    } else if (message.event === 'state_changed') change(message.call_id, { state: message.to_state })
    else if ('total_received' in message) {
      const { total_received, missing_count } = message
      change(message.call_id, { total_received, missing_count })
    }
  }
  return calls
}
