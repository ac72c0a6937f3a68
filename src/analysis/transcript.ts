/** From segments to what people read and models are given, and from a call that carries text to segments. Pure. */
import { limits } from '../limits.js'
import type { Transcript, TranscriptSegment } from '../protocol/analysis.js'
import type { AnalysisTrack } from './provider.js'

/** The words of one side until the other speaks, or until it pauses, or about a paragraph of them. */
export interface Turn {
  readonly speaker: string
  readonly text: string
  readonly segments: { readonly first_segment: number; readonly last_segment: number }
}

/** A side that is recorded alone would be one turn for the whole call, of which nothing could be told or left out. */
export function turnsOf(
  segments: readonly TranscriptSegment[],
  voices: readonly string[] = [],
): readonly Turn[] {
  const turns: Turn[] = []
  let open: OpenTurn | null = null
  for (const [index, segment] of segments.entries()) {
    const parts = partsOf(segment.text)
    if (open !== null && !continues(open, segment, parts[0] ?? '')) {
      turns.push(closed(open, voices))
      open = null
    }
    for (const [part, text] of parts.entries()) {
      if (open !== null && part > 0) {
        turns.push(closed(open, voices))
        open = null
      }
      open ??= { channel: segment.channel, texts: [], characters: 0, first: index, last: index, end: 0 }
      open.texts.push(text)
      open.characters += text.length + 1
      open.last = index
      open.end = segment.end
    }
  }
  if (open !== null) turns.push(closed(open, voices))
  return turns
}

interface OpenTurn {
  readonly channel: number
  readonly texts: string[]
  readonly first: number
  characters: number
  last: number
  end: number
}

function continues(open: OpenTurn, { channel, start }: TranscriptSegment, text: string): boolean {
  return (
    channel === open.channel &&
    start - open.end < limits.turnPauseSeconds &&
    open.characters + text.length <= limits.turnCharactersMax
  )
}

function closed({ channel, texts, first, last }: OpenTurn, voices: readonly string[]): Turn {
  return {
    speaker: voices[channel] ?? `channel ${channel}`,
    text: texts.join(' '),
    segments: { first_segment: first, last_segment: last },
  }
}

/** One segment may be a whole letter: it is cut between words, where it has any. */
function partsOf(text: string): readonly string[] {
  const most = limits.turnCharactersMax
  const parts: string[] = []
  let from = 0
  while (text.length - from > most) {
    const space = text.lastIndexOf(' ', from + most)
    const end = space > from ? space : from + most - (isHighSurrogate(text, from + most - 1) ? 1 : 0)
    parts.push(text.slice(from, end))
    from = space > from ? end + 1 : end
  }
  parts.push(text.slice(from))
  return parts
}

function isHighSurrogate(text: string, at: number): boolean {
  const code = text.charCodeAt(at)
  return code >= 0xd800 && code < 0xdc00
}

/** A line a turn. */
export function plainText(segments: readonly TranscriptSegment[]): string {
  return turnsOf(segments)
    .map(({ text }) => text)
    .join('\n')
    .slice(0, limits.transcriptionCharactersMax)
}

/**
 * A call whose packets are text: each is a segment, and each track a channel. Its time is the sender's clock, from the
 * first packet on; where that runs backwards, time stands still.
 */
export async function readTextCall(tracks: readonly AnalysisTrack[]): Promise<Transcript> {
  const read: TextTrack[] = []
  for (const [channel, track] of tracks.entries()) read.push(await readTextTrack(track, channel))
  const startedAt = Math.min(...read.map((track) => track.startedAt))
  const segments = read.flatMap((track) => {
    const offset = track.startedAt - startedAt
    return track.segments.map((segment) => ({
      ...segment,
      start: milliseconds(segment.start + offset),
      end: milliseconds(segment.end + offset),
    }))
  })
  // In the order of their packets, where there is but one.
  if (read.length > 1) segments.sort((a, b) => a.start - b.start || a.channel - b.channel)
  const expected = read.reduce((sum, track) => sum + track.expected, 0)
  const received = read.reduce((sum, track) => sum + track.received, 0)
  return {
    coverage: expected === 0 ? 1 : Math.floor((received / expected) * 10_000) / 10_000,
    segments: segments.slice(0, limits.transcriptSegmentsMax),
    ...voicesOf(tracks),
  }
}

/** The speaker of each channel, where tracks have names. */
export function voicesOf(tracks: readonly AnalysisTrack[]): { voices?: string[] } {
  if (tracks.every(({ name }) => name === null)) return {}
  const names = tracks.flatMap(({ name, track, media }) => {
    const voice = name ?? `track ${track}`
    if (media.channels === 1) return [voice]
    return Array.from({ length: media.channels }, (_, channel) => `${voice} ${channel}`)
  })
  return { voices: names }
}

interface TextTrack {
  readonly segments: readonly TranscriptSegment[]
  /** Seconds, the sender's clock; infinite where nothing has come. */
  readonly startedAt: number
  readonly received: number
  readonly expected: number
}

async function readTextTrack(track: AnalysisTrack, channel: number): Promise<TextTrack> {
  const segments: TranscriptSegment[] = []
  const decoder = new TextDecoder()
  let startedAt = Number.POSITIVE_INFINITY
  let at = 0
  let received = 0
  let highest = -1
  let characters = 0
  for await (const page of track.packetPages())
    for (const { sequence, data, timestamp } of page) {
      if (received++ === 0) startedAt = timestamp
      highest = sequence
      at = Math.max(at, milliseconds(timestamp - startedAt))
      const text = decoder.decode(data).trim()
      characters += text.length
      const isFull =
        segments.length >= limits.transcriptSegmentsMax || characters > limits.transcriptionCharactersMax
      if (text !== '' && !isFull)
        segments.push({ start: at, end: at, channel, text, confidence: null, coverage: 1 })
    }
  return { segments, startedAt, received, expected: Math.max(highest + 1, track.expectedTotal ?? 0) }
}

/** Seconds, in whole milliseconds. */
function milliseconds(seconds: number): number {
  return Math.round(seconds * 1000) / 1000
}
