/**
 * `POST {base}/audio/transcriptions`: one piece of one channel in, what was said in it out. Source: openai/openai-node
 * `src/resources/audio/transcriptions.ts`; the quirks of the servers that share the shape stand where they are met.
 */
import { randomUUID } from 'node:crypto'
import type { AudioFormat } from '../../audio/audio-format.js'
import type { SpeechPiece } from '../../audio/speech-pieces.js'
import { wavHeader } from '../../audio/wav-file.js'
import { limits } from '../../limits.js'
import { ProviderUnavailable } from '../provider.js'
import type { ProviderMessage } from './connection.js'

export interface TranscriptionOptions {
  readonly model: string
  /** ISO 639-1; empty: the server finds out. */
  readonly language: string
}

/** Seconds from the start of the piece. */
export interface HeardSegment {
  readonly start: number
  readonly end: number
  readonly text: string
  /** 0 … 1; null where the server does not say. */
  readonly confidence: number | null
}

export function transcriptionMessage(
  piece: SpeechPiece,
  sampleRate: number,
  { model, language }: TranscriptionOptions,
  idempotencyKey: string,
): ProviderMessage {
  const format: AudioFormat = { encoding: 'pcm_s16le', sampleRate, channels: 1 }
  const isVerbose = takesVerboseJson(model)
  const fields = [
    ['model', model],
    ...(language === '' ? [] : [['language', language]]),
    ['temperature', '0'],
    ['response_format', isVerbose ? 'verbose_json' : 'json'],
    // speaches fails without it (speaches-ai/speaches#58); others ignore it.
    ...(isVerbose ? [['timestamp_granularities[]', 'segment']] : []),
  ]
  const boundary = `voicestream-${randomUUID()}`
  const part = (name: string) => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"`
  const before = fields.map(([name = '', value = '']) => `${part(name)}\r\n\r\n${value}\r\n`).join('')
  // Servers tell the container by the name's extension.
  const file = `${part('file')}; filename="piece.wav"\r\nContent-Type: audio/wav\r\n\r\n`
  return {
    path: 'audio/transcriptions',
    contentType: `multipart/form-data; boundary=${boundary}`,
    // By hand (RFC 7578): Blobs lie outside of what the garbage collector counts, and one piece after another
    // of a long call took memory until it looked.
    body: [
      Buffer.from(before + file),
      wavHeader(format, piece.frames),
      piece.samples,
      Buffer.from(`\r\n--${boundary}--\r\n`),
    ],
    idempotencyKey,
  }
}

/** OpenAI's newer models answer plain `json` only; every self-hosted server takes `verbose_json`. */
function takesVerboseJson(model: string): boolean {
  return !/^gpt-/.test(model)
}

/**
 * What an answer of 200 says. Numbers may be strings (vLLM), segments may be missing, the whole may be plain text; an
 * `error` object or no text at all is a failure in spite of its status. Throws `ProviderUnavailable`.
 */
export function readTranscription(text: string, seconds: number): readonly HeardSegment[] {
  const body = parse(text)
  if (typeof body === 'string') {
    const plain = clean(body)
    if (plain.startsWith('<') || plain.startsWith('{'))
      throw new ProviderUnavailable('transcription: no transcript')
    return wholePiece(plain, seconds)
  }
  if (Object.hasOwn(body, 'error') && body['error'] !== null)
    throw new ProviderUnavailable('transcription: 200 with an error')
  if (typeof body['text'] !== 'string') throw new ProviderUnavailable('transcription: 200 without a text')
  const segments = body['segments']
  if (!Array.isArray(segments) || segments.length === 0) return wholePiece(clean(body['text']), seconds)
  return segments
    .slice(0, limits.transcriptSegmentsMax)
    .map((segment) => readSegment(segment, seconds))
    .filter((segment) => segment !== null)
}

function wholePiece(text: string, seconds: number): readonly HeardSegment[] {
  return text === '' ? [] : [{ start: 0, end: seconds, text, confidence: null }]
}

/** Null for what is no speech: nothing said, or words that the server itself holds for silence. */
function readSegment(segment: unknown, seconds: number): HeardSegment | null {
  if (typeof segment !== 'object' || segment === null) return null
  const members = segment as Record<string, unknown>
  const text = typeof members['text'] === 'string' ? clean(members['text']) : ''
  if (text === '') return null
  const logprob = numberOf(members['avg_logprob'])
  const compression = numberOf(members['compression_ratio'])
  const silence = numberOf(members['no_speech_prob'])
  // vLLM fills both with −1 where it does not know (vllm-project/vllm#24209).
  const isKnown = logprob !== null && !(logprob === -1 && compression === -1)
  if (isKnown && logprob < -1 && silence !== null && silence > 0.6) return null
  // One phrase again and again, which Whisper falls into on noise; its own threshold.
  if (isKnown && compression !== null && compression > 2.4 && logprob < -1) return null
  const start = within(numberOf(members['start']) ?? 0, 0, seconds)
  const end = within(numberOf(members['end']) ?? seconds, start, seconds)
  const confidence = isKnown ? Math.round(Math.exp(Math.min(0, logprob)) * 1000) / 1000 : null
  return { start, end, text, confidence }
}

/** An object, or a transcript as plain text or as a JSON string. Throws for any other JSON, which is no transcript. */
function parse(text: string): Record<string, unknown> | string {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    return text
  }
  if (typeof body === 'string') return body
  if (typeof body === 'object' && body !== null && !Array.isArray(body))
    return body as Record<string, unknown>
  throw new ProviderUnavailable('transcription: 200 with other JSON')
}

function numberOf(value: unknown): number | null {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  return typeof number === 'number' && Number.isFinite(number) ? number : null
}

function within(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most)
}

/** Control characters would break a terminal, a subtitle file or a page; spaces around are Whisper's. */
export function clean(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Surrogate}\u2028\u2029]/gu, ' ')
    .replace(/ {2,}/g, ' ')
    .trim()
}
