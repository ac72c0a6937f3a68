/**
 * `POST {base}/audio/transcriptions`: how one piece of one channel is sent. Source: openai/openai-node
 * `src/resources/audio/transcriptions.ts`; the quirks of the servers that share the shape stand where they are met.
 */
import { randomUUID } from 'node:crypto'
import type { AudioFormat } from '../../../audio/audio-format.js'
import type { SpeechPiece } from '../../../audio/speech-pieces.js'
import { wavHeader } from '../../../audio/wav-file.js'
import type { ProviderMessage } from './connection.js'

export interface TranscriptionOptions {
  readonly model: string
  /** ISO 639-1; empty: the server finds out. */
  readonly language: string
  /** Parameters that the server has refused. */
  readonly without: ReadonlySet<string>
}

/** What a server may refuse and need not have. */
export const spareParameters = [
  'language',
  'temperature',
  'timestamp_granularities[]',
  'response_format',
] as const

export function transcriptionMessage(
  piece: SpeechPiece,
  sampleRate: number,
  { model, language, without }: TranscriptionOptions,
  idempotencyKey: string,
): ProviderMessage {
  const format: AudioFormat = { encoding: 'pcm_s16le', sampleRate, channels: 1 }
  const isVerbose = takesVerboseJson(model) && !without.has('response_format')
  const fields = [
    ['model', model],
    ...(language === '' ? [] : [['language', language]]),
    ['temperature', '0'],
    ['response_format', isVerbose ? 'verbose_json' : 'json'],
    // speaches fails without it (speaches-ai/speaches#58); others ignore it.
    ...(isVerbose ? [['timestamp_granularities[]', 'segment']] : []),
  ].filter(([name = '']) => name === 'response_format' || !without.has(name))
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
