/** A call that is spoken: its packets come at the pace of speech, and say in their samples which they are. */
import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import type { HttpClient } from './http-client.js'
import { eventually } from './service.js'

export const spokenMedia = { encoding: 'mulaw', sample_rate: 8000, channels: 1 }
const packetMs = 20
/** Its samples say which packet it is, the first half its last two digits and the second half the others. */
const codesOf = (track: number, sequence: number) =>
  [sequence % 100, 100 + (Math.floor(sequence / 100) % 25)].map((part) => (track === 0 ? 1 : 129) + part)

function samplesOf(track: number, sequence: number): Buffer {
  const [low = 0, high = 0] = codesOf(track, sequence)
  return Buffer.alloc(160, low).fill(high, 80)
}

export interface Talk {
  count: number
  stop(): Promise<void>
}

/** Sends both sides of a call at the pace of speech, from a packet on. */
export function talk(client: HttpClient, call: string, tracks: readonly number[], first = 0): Talk {
  const sent = { count: first, isOver: false }
  const startedAt = performance.now()
  const sending = (async () => {
    while (!sent.isOver) {
      const due = first + Math.floor((performance.now() - startedAt) / packetMs)
      const lines = []
      for (; sent.count < due; sent.count++)
        for (const track of tracks) {
          const data = samplesOf(track, sent.count).toString('base64')
          lines.push(
            JSON.stringify({
              call_id: call,
              track,
              sequence: sent.count,
              data,
              timestamp: 1 + sent.count / 50,
            }),
          )
        }
      if (lines.length > 0) assert.equal((await client.bulk(lines.join('\n'))).status, 202)
      await delay(100)
    }
  })()
  return {
    get count() {
      return sent.count
    },
    stop() {
      sent.isOver = true
      return sending
    },
  }
}

/** Once three fifths of a second were heard of each voice. */
export async function beginTalk(client: HttpClient, call: string, tracks: readonly number[]): Promise<Talk> {
  assert.equal((await client.post(`/v1/call/start/${call}`, { media: spokenMedia })).status, 202)
  const sent = talk(client, call, tracks)
  await eventually(
    () => client.call(call),
    ({ body }) => Number(body['total_received']) >= 30 * tracks.length,
  )
  return sent
}
