/** From segments to what people read and models are given, and from a call that carries text to segments. Pure. */
import { limits } from '../limits.js'
import type { Transcript, TranscriptSegment } from '../protocol/analysis.js'
import type { StoredPacket } from '../store/journal.js'

/** What one side says until the other does. */
export interface Turn {
  readonly speaker: string
  readonly text: string
  readonly segments: { readonly first_segment: number; readonly last_segment: number }
}

export function turnsOf(segments: readonly TranscriptSegment[]): readonly Turn[] {
  const turns: Turn[] = []
  segments.forEach(({ channel, text }, index) => {
    const speaker = `channel ${channel}`
    const last = turns.at(-1)
    if (last?.speaker === speaker)
      turns[turns.length - 1] = {
        speaker,
        text: `${last.text} ${text}`,
        segments: { ...last.segments, last_segment: index },
      }
    else turns.push({ speaker, text, segments: { first_segment: index, last_segment: index } })
  })
  return turns
}

/** A line a turn. */
export function plainText(segments: readonly TranscriptSegment[]): string {
  return turnsOf(segments)
    .map(({ text }) => text)
    .join('\n')
    .slice(0, limits.transcriptionCharactersMax)
}

/**
 * A call whose packets are text: each is a segment. Its time is the sender's clock, from the first packet on; where that
 * runs backwards, time stands still.
 */
export async function readTextCall(
  pages: AsyncIterable<readonly StoredPacket[]>,
  expectedTotal: number | null,
): Promise<Transcript> {
  const segments: TranscriptSegment[] = []
  const decoder = new TextDecoder()
  let startedAt: number | null = null
  let at = 0
  let received = 0
  let highest = -1
  let characters = 0
  for await (const page of pages)
    for (const { sequence, data, timestamp } of page) {
      received++
      highest = sequence
      startedAt ??= timestamp
      at = Math.max(at, Math.round((timestamp - startedAt) * 1000) / 1000)
      const text = decoder.decode(data).trim()
      characters += text.length
      const isFull =
        segments.length >= limits.transcriptSegmentsMax || characters > limits.transcriptionCharactersMax
      if (text !== '' && !isFull)
        segments.push({ start: at, end: at, channel: 0, text, confidence: null, coverage: 1 })
    }
  const expected = Math.max(highest + 1, expectedTotal ?? 0)
  return { coverage: expected === 0 ? 1 : Math.floor((received / expected) * 10_000) / 10_000, segments }
}
