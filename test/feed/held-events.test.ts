/**
 * Descriptions of calls as long as they may be, and many of them. Guards against a feed that holds events by their number, or
 * by less than they weigh: 30,000 of 16 KB left 971 MB of heap where 96 MiB are promised.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { EventRing } from '../../src/feed/event-ring.js'
import { limits } from '../../src/limits.js'
import { callId } from '../support/calls.js'

const mib = 1024 * 1024
const events = 30_000

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')

function heapBytes(): number {
  collect()
  return process.memoryUsage().heapUsed
}

for (const [kind, character] of [
  ['one byte', 'é'],
  ['two bytes', 'ж'],
] as const)
  test(`thirty thousand descriptions of 16 KB, ${kind} a character in the heap, leave there what the feed may hold`, (t) => {
    const ring = new EventRing()
    const before = heapBytes()
    let sentBytes = 0
    for (let number = 0; number < events; number++) {
      const values = Array.from(
        { length: limits.metadataMax },
        (_, i) => [`k${i}`, `${number}`.padEnd(limits.metadataCharactersMax, character)] as const,
      )
      const metadata = Object.fromEntries(values)
      if (number === 0) sentBytes = Buffer.byteLength(JSON.stringify({ metadata }))
      ring.addLifecycle({
        event: 'call_started',
        at: '2026-11-28T00:00:00.000Z',
        call_id: callId(`c${number}`),
        media: { encoding: 'mulaw', sample_rate: 8000, channels: 1 },
        metadata,
      })
    }
    const grownBy = heapBytes() - before
    t.diagnostic(`${Math.round(grownBy / mib)} MiB, ${ring.head - ring.evictedThrough} events are held`)
    assert(sentBytes > 16_000, `${sentBytes} bytes each`)
    assert(ring.evictedThrough > 0 && ring.head === events)
    assert(grownBy > limits.feedBytesMax / 2, 'the feed is as full as it may be')
    assert(grownBy < 1.1 * limits.feedBytesMax, `${grownBy / mib} MiB`)
  })
