/**
 * The thread that listens. It has nothing that the journal does not have, so whatever happens to it costs facts and no
 * packet: the next one begins anew.
 */
import { Buffer } from 'node:buffer'
import { parentPort, workerData } from 'node:worker_threads'
import { yieldToOthers } from '../thread-priority.js'
import { CallInsight } from './call-insight.js'
import type { AlertNews, FromInsight, InsightData, ToInsight, TrackOpening } from './insight-messages.js'
import { RingReader, type RingRecord } from './packet-ring.js'

const port = parentPort
if (port === null) throw new Error('insight-thread is not a program')
yieldToOthers('idle')
const { memory, terms } = workerData as InsightData
const ring = new RingReader(memory)
const calls = new Map<number, CallInsight>()
let news: AlertNews[] = []

function take(record: RingRecord): void {
  if (record.kind === 'track') openTrack(record)
  else takePackets(record)
}

function openTrack({ call, track, data }: RingRecord): void {
  const { media, channel, known }: TrackOpening = JSON.parse(Buffer.from(data).toString())
  let insight = calls.get(call)
  if (insight === undefined) {
    insight = new CallInsight(
      {
        raised: (alert) => news.push({ type: 'raised', call, alert }),
        cleared: (alertId, toMs) => news.push({ type: 'cleared', call, alertId, toMs }),
      },
      terms,
      known,
    )
    calls.set(call, insight)
  }
  insight.openTrack(track, media, channel)
}

function takePackets({ call, track, sequence, count, isRaw, isAfterSkipped, at, data }: RingRecord): void {
  const insight = calls.get(call)
  if (insight === undefined) return
  if (isAfterSkipped) insight.skip(track)
  const bytes = data.length / count
  for (let i = 0; i < count; i++) {
    const packet = data.subarray(i * bytes, (i + 1) * bytes)
    // The ring's memory is taken by the next packets, and the line of a track may hold one back.
    const samples = isRaw ? packet.slice() : Buffer.from(latin1Of(packet), 'base64')
    insight.take({ track, sequence: sequence + i, samples, at })
  }
}

function latin1Of({ buffer, byteOffset, length }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, length).toString('latin1')
}

function tell(message: FromInsight): void {
  port?.postMessage(message)
}

port.on('message', (message: ToInsight) => {
  ring.read(take)
  switch (message.type) {
    case 'close-track':
      calls.get(message.call)?.closeTrack(message.track)
      break
    case 'end':
      calls.delete(message.call)
      break
    case 'forget-all':
      calls.clear()
      break
    case 'facts':
      tell({ type: 'facts', ask: message.ask, facts: calls.get(message.call)?.facts() ?? null })
      break
    case 'more':
      break
  }
  if (news.length === 0) return
  tell({ type: 'news', news })
  news = []
})
