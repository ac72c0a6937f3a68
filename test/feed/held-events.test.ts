/**
 * What the feed leaves in memory. Guards against a feed that holds events by their number, or by less than they weigh: 30,000
 * descriptions of 16 KB left 971 MB of heap where 96 MiB are promised. And against lists of missing numbers in the heap: each
 * one that the feed let go lay there until the next full collection, so that 96 MiB of events took up to 285 MiB.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { EventRing } from '../../src/feed/event-ring.js'
import { limits } from '../../src/limits.js'
import { callId } from '../support/calls.js'
import { packetFacts } from '../support/feeds.js'
import { eventually } from '../support/service.js'

const mib = 1024 * 1024
const events = 30_000

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')

function heapBytes(): number {
  collect()
  return process.memoryUsage().heapUsed
}

// The first one: buffers of another test's ring are freed some time after their collection, so they would count as shrinkage.
test('packets with a hundred missing numbers each leave nothing in the heap, and outside of it what the feed may hold', async () => {
  const ring = new EventRing()
  const outside = () => process.memoryUsage().arrayBuffers
  const [heapBefore, outsideBefore] = [heapBytes(), outside()]
  for (let number = 0; number < 2 * limits.feedSlots; number++) {
    const missingSequences = Array.from({ length: limits.missingListedMax }, (_, i) => number + i)
    ring.addPacket(packetFacts(number, { missingSequences }))
  }
  assert(ring.evictedThrough > limits.feedSlots, 'most of them were let go')
  const listBytes = (ring.head - ring.evictedThrough) * limits.missingListedMax * 4
  const grown = await eventually(
    async () => ({ heap: heapBytes() - heapBefore, outside: outside() - outsideBefore }),
    ({ heap, outside }) => heap < mib && outside < listBytes + mib,
  )
  assert(grown.outside >= listBytes, `${grown.outside / mib} MiB`)
})

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
