/** The judge of what supervisors are told: it must see what a message may not have. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toldMessage } from '../support/told-messages.js'

const head = { position: 'p', at: '2026-01-01T00:00:00.000Z', call_id: 'c1' }
const completed = { event: 'ai_completed', ...head, transcription: 'x', sentiment: 'neutral', confidence: 1 }
const media = { encoding: 'text', sample_rate: 8000, channels: 1 }

test('a message is told as its schema says', () => {
  for (const message of [
    completed,
    { ...completed, truncated: true },
    { event: 'call_started', ...head, media, metadata: { k: 'v' } },
    { event: 'heartbeat', position: 'p', at: head.at },
  ])
    assert.deepEqual(toldMessage(JSON.stringify(message)), message)
})

test('a member that no schema knows is seen, wherever it stands', () => {
  for (const message of [
    { ...completed, transcript: { coverage: 1, segments: [] } },
    { ...completed, truncated: false },
    { ...completed, transcription: 'x'.repeat(4097) },
    { event: 'call_started', ...head, media: { ...media, more: 1 } },
    { event: 'snapshot', position: 'p', at: head.at, calls: [{ call_id: 'c1' }], is_last: true },
    { event: 'unheard', ...head },
  ])
    assert.throws(
      () => toldMessage(JSON.stringify(message)),
      /this is no/,
      JSON.stringify(message).slice(0, 80),
    )
})
