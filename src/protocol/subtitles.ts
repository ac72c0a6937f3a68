/** A transcript as subtitles and as text: WebVTT (W3C, 4 April 2019), SubRip, plain. Pure. */
import type { TranscriptSegment } from './analysis.js'

export const transcriptFormats = ['json', 'vtt', 'srt', 'text'] as const
export type TranscriptFormat = (typeof transcriptFormats)[number]

/** A cue that ends when it begins is never shown: what has no length (a call of text) stays for so long. */
const shownSeconds = 2

/** What is said stands in it as text: markup of a caller must not become markup of a page. */
export function toVtt(segments: readonly TranscriptSegment[]): string {
  const cues = segments.map(
    (segment) => `${span(segment, '.')}\n<v Channel ${segment.channel}>${escapeCue(oneLine(segment.text))}\n`,
  )
  return ['WEBVTT\n', ...cues].join('\n')
}

export function toSrt(segments: readonly TranscriptSegment[]): string {
  return segments
    .map(
      (segment, index) =>
        // `-->` would end a cue.
        `${index + 1}\n${span(segment, ',')}\nChannel ${segment.channel}: ${oneLine(segment.text).replaceAll('-->', '→')}\n`,
    )
    .join('\n')
}

/** A line a segment, with its time. */
export function toText(segments: readonly TranscriptSegment[]): string {
  return segments
    .map(({ start, channel, text }) => `[${time(start, '.')}] Channel ${channel}: ${oneLine(text)}\n`)
    .join('')
}

function span({ start, end }: TranscriptSegment, point: '.' | ','): string {
  return `${time(start, point)} --> ${time(end > start ? end : start + shownSeconds, point)}`
}

function time(seconds: number, point: '.' | ','): string {
  const ms = Math.round(seconds * 1000)
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0')
  const rest = String(ms % 1000).padStart(3, '0')
  return `${two(ms / 3_600_000)}:${two((ms / 60_000) % 60)}:${two((ms / 1000) % 60)}${point}${rest}`
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}

function escapeCue(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
