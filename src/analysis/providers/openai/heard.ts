/**
 * What an answer says was said in a piece: its words, and when. Times are those of the piece or unknown, whatever unit the server
 * counts in; a number that is none is unknown, and takes no words with it.
 */
import { limits } from '../../../limits.js'
import type { Redaction } from '../../../protocol/analysis.js'
import { ProviderUnavailable } from '../../provider.js'
import { type Answer, readAnswer, readText } from './answer.js'
import type { ProviderAnswer } from './connection.js'
import { secondsOf } from './cues.js'
import { isObject, type JsonObject, numberOf } from './loose-json.js'

/** Seconds from the start of the piece. */
export interface HeardSegment {
  readonly start: number
  readonly end: number
  readonly text: string
  /** 0 … 1; null where the server does not say. */
  readonly confidence: number | null
  /** The masks in its text. */
  readonly redactions?: Redaction[]
}

/** Throws what `readAnswer` does, and `ProviderUnavailable` for an answer without words that does not say that there are none. */
export function readTranscription(
  answer: Pick<ProviderAnswer, 'headers' | 'text'>,
  seconds: number,
): readonly HeardSegment[] {
  return heardIn(readAnswer(answer, 'transcription'), seconds)
}

function heardIn(read: Answer, seconds: number): readonly HeardSegment[] {
  if (read.kind === 'plain') return wholePiece(said(read.text), seconds)
  if (read.kind === 'cues') return readSegments(read.cues, null, seconds)
  const { text, segments, duration } = read.body
  const told = Array.isArray(segments) ? segments.filter(isObject) : []
  const hasWords = told.some((segment) => textOf(segment) !== '')
  if (hasWords) return readSegments(told, numberOf(duration), seconds)
  if (typeof text !== 'string') throw new ProviderUnavailable('transcription: 200 without a text')
  return heardIn(readText(text, 'transcription'), seconds)
}

function wholePiece(text: string, seconds: number): readonly HeardSegment[] {
  return text === '' ? [] : [{ start: 0, end: seconds, text, confidence: null }]
}

function readSegments(
  told: readonly object[],
  duration: number | null,
  seconds: number,
): readonly HeardSegment[] {
  const segments = told.slice(0, limits.transcriptSegmentsMax) as readonly JsonObject[]
  const unit = unitOf(segments, duration, seconds)
  const heard: HeardSegment[] = []
  for (const segment of segments) {
    const text = textOf(segment)
    if (text === '' || isSilence(segment)) continue
    const known = (name: 'start' | 'end') => {
      const time = timeOf(segment[name])
      return unit === null || time === null || time < 0 ? null : time / unit
    }
    // Without a time of its own it comes after what was said before it.
    const start = within(known('start') ?? (unit === null ? 0 : (heard.at(-1)?.end ?? 0)), 0, seconds)
    heard.push({
      start,
      end: within(known('end') ?? seconds, start, seconds),
      text,
      confidence: confidenceOf(segment),
    })
  }
  return heard
}

/** Seconds are meant; some servers send milliseconds, LocalAI has sent nanoseconds. */
const units = [1, 1e3, 1e6, 1e9]
/** Whisper hears in windows of so long and may end one there, beyond the end of the sound. */
const windowSeconds = 30

/** So many of the server's units are a second; null where no unit makes sense of its times. */
function unitOf(segments: readonly JsonObject[], duration: number | null, seconds: number): number | null {
  const times = segments.flatMap(({ start, end }) => [timeOf(start) ?? 0, timeOf(end) ?? 0])
  const latest = times.reduce((most, time) => Math.max(most, time), 0)
  const most = Math.max(seconds, windowSeconds) + 1
  const fitting = units.filter((unit) => latest / unit <= most)
  const fitsDuration = (unit: number) =>
    duration !== null && Math.abs(duration / unit - seconds) <= Math.max(1, seconds / 10)
  // Smaller units are counted in whole numbers.
  if (fitting[0] === 1 && times.some((time) => !Number.isInteger(time))) return 1
  return fitting.find(fitsDuration) ?? fitting[0] ?? null
}

function timeOf(value: unknown): number | null {
  if (typeof value === 'string' && /^(?:\d+:)?\d{1,2}:\d{2}(?:[.,]\d+)?$/.test(value)) return secondsOf(value)
  if (typeof value !== 'string') return numberOf(value)
  const [, number = '', unit] = /^(.*?) ?(ms|s|sec|seconds)?$/.exec(value) ?? []
  const time = numberOf(number)
  return time !== null && unit === 'ms' ? time / 1000 : time
}

function textOf({ text }: JsonObject): string {
  return typeof text === 'string' ? said(text) : ''
}

/** vLLM fills both with −1 where it does not know (vllm-project/vllm#24209). */
function logprobOf(segment: JsonObject): number | null {
  const logprob = numberOf(segment['avg_logprob'])
  return logprob === -1 && numberOf(segment['compression_ratio']) === -1 ? null : logprob
}

/** Words that the server itself holds for silence. */
function isSilence(segment: JsonObject): boolean {
  const logprob = logprobOf(segment)
  if (logprob === null || logprob >= -1) return false
  // The second: one phrase again and again, which Whisper falls into on noise; its own threshold.
  return (
    (numberOf(segment['no_speech_prob']) ?? 0) > 0.6 || (numberOf(segment['compression_ratio']) ?? 0) > 2.4
  )
}

function confidenceOf(segment: JsonObject): number | null {
  const logprob = logprobOf(segment)
  return logprob === null ? null : Math.round(Math.exp(Math.min(0, logprob)) * 1000) / 1000
}

function within(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most)
}

/** Without Whisper's tokens, and without what whisper.cpp writes for silence. */
function said(text: string): string {
  return clean(text.replace(/<\|[^|<>]{1,40}\|>|[[(] ?(?:BLANK_AUDIO|silence|no speech) ?[\])]/gi, ' '))
}

/** Control characters would break a terminal, a subtitle file or a page; spaces around are Whisper's. */
export function clean(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Surrogate}\u2028\u2029]/gu, ' ')
    .replace(/ {2,}/g, ' ')
    .trim()
}
