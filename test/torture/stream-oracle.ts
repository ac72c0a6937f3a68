/**
 * Is what one client was told a stream without a hole? By the accounts in its events, not by their positions, which mean
 * nothing to a client: in each run of messages without a reset the packets of a call count up by one.
 */
import type { FeedMessage } from '../../src/protocol/feed.js'

export interface StreamFindings {
  readonly findings: readonly string[]
  /** What the client believes now of each call. */
  readonly totals: ReadonlyMap<string, number>
  readonly packets: number
}

/** `isFresh`: no packet was sent before the client came, so its calls begin with 1. */
export function judgeStream(messages: readonly FeedMessage[], isFresh: boolean): StreamFindings {
  let totals = new Map<string, number>()
  let sequences = new Set<string>()
  let isWhole = isFresh
  let packets = 0
  const counts = { gaps: 0, repeats: 0 }
  let first = ''
  const find = (kind: keyof typeof counts, text: string) => {
    counts[kind]++
    if (first === '') first = text
  }
  for (const message of messages) {
    if (message.event === 'reset') {
      totals = new Map()
      sequences = new Set()
      // From here on every call that was not in the snapshot begins after it.
      isWhole = true
    } else if (message.event === 'snapshot')
      for (const { call_id, total_received } of message.calls) totals.set(call_id, total_received)
    else if (message.event === 'packet_received') {
      const { call_id, sequence, total_received } = message
      packets++
      const known = totals.get(call_id)
      const place = `${call_id}/${sequence}`
      if (sequences.has(place)) find('repeats', `${place} came twice`)
      else if (known !== undefined && total_received <= known)
        find('repeats', `${place} counts ${total_received} after ${known}`)
      else if (known !== undefined && total_received > known + 1)
        find('gaps', `${place} counts ${total_received} after ${known}`)
      else if (known === undefined && isWhole && total_received !== 1 && !isInSnapshotYet(messages, message))
        find('gaps', `${place} begins with ${total_received}`)
      sequences.add(place)
      totals.set(call_id, total_received)
    }
  }
  const findings = Object.entries(counts).flatMap(([kind, count]) =>
    count === 0 ? [] : [`${count} ${kind}, ${first} for one`],
  )
  return { findings, totals, packets }
}

/** Between a reset and its last part a call may be told of before its row comes. */
function isInSnapshotYet(messages: readonly FeedMessage[], from: FeedMessage): boolean {
  const rest = messages.slice(messages.indexOf(from))
  const next = rest.find(({ event }) => event === 'snapshot' || event === 'live' || event === 'reset')
  return next?.event === 'snapshot'
}
