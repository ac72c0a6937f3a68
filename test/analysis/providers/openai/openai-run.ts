/** A provider under test with its scripted server, and calls to analyse. */
import type { TestContext } from 'node:test'
import type { AnalysisCheckpoints, AnalysisRequest, Redact } from '../../../../src/analysis/provider.js'
import { Connection } from '../../../../src/analysis/providers/openai/connection.js'
import { OpenAiProvider } from '../../../../src/analysis/providers/openai/openai-provider.js'
import type { AudioFormat } from '../../../../src/audio/audio-format.js'
import { limits } from '../../../../src/limits.js'
import type { CallId } from '../../../../src/protocol/call-id.js'
import type { Media } from '../../../../src/protocol/media.js'
import type { StoredPacket } from '../../../../src/store/journal.js'
import { OpenAiServer, type Script } from '../../../support/openai-server.js'

export class MemoryCheckpoints implements AnalysisCheckpoints {
  readonly saved = new Map<string, string>()

  async load(): Promise<ReadonlyMap<string, string>> {
    return new Map(this.saved)
  }

  async save(key: string, text: string): Promise<void> {
    this.saved.set(key, text)
  }

  async note(key: string, text: string): Promise<void> {
    this.saved.set(key, text)
  }
}

export const linear: AudioFormat = { encoding: 'pcm_s16le', sampleRate: 8000, channels: 1 }

export interface CallUnderTest {
  readonly media?: Media
  /** By sequence; null is missing. */
  readonly packets: readonly (Buffer | string | null)[]
  readonly expectedTotal?: number
  readonly checkpoints?: AnalysisCheckpoints
  readonly attempt?: number
  readonly redact?: Redact
}

export function requestFor(call: CallUnderTest): AnalysisRequest {
  const media: Media = call.media ?? { encoding: 'pcm_s16le', sample_rate: 8000, channels: 1 }
  const stored = call.packets.flatMap((data, sequence): StoredPacket[] =>
    data === null
      ? []
      : [
          {
            sequence,
            data: Buffer.from(typeof data === 'string' ? data : data.toString('base64')),
            timestamp: 1000 + sequence / 50,
            receivedAt: 0,
          },
        ],
  )
  return {
    callId: 'call-1' as CallId,
    tracks: [
      {
        track: 0,
        name: null,
        media,
        expectedTotal: call.expectedTotal ?? null,
        async *packetPages() {
          for (let from = 0; from < stored.length; from += 30) yield stored.slice(from, from + 30)
        },
      },
    ],
    packetCount: stored.length,
    missingCount: call.packets.length - stored.length,
    missingRanges: [],
    attempt: call.attempt ?? 1,
    idempotencyKey: 'voicestream:call-1',
    heard: () => {},
    redact: call.redact ?? null,
    checkpoints: call.checkpoints ?? new MemoryCheckpoints(),
  }
}

/** Seconds of a tone in packets of 20 ms. */
export function tone(seconds: number, rate = 8000): Buffer[] {
  const frames = rate / 50
  return Array.from({ length: seconds * 50 }, (_, packet) => {
    const samples = Buffer.alloc(frames * 2)
    for (let frame = 0; frame < frames; frame++)
      samples.writeInt16LE(
        Math.round(8000 * Math.sin(((packet * frames + frame) * Math.PI * 880) / rate)),
        frame * 2,
      )
    return samples
  })
}

export const silence = (seconds: number): Buffer[] =>
  Array.from({ length: seconds * 50 }, () => Buffer.alloc(320))

export interface Bench {
  readonly server: OpenAiServer
  readonly provider: OpenAiProvider
}

export async function startBench(
  t: TestContext,
  script?: Script,
  options: {
    readonly apiKey?: string
    readonly baseUrl?: string
    readonly pieceTargetMs?: number
    readonly model?: string
  } = {},
): Promise<Bench> {
  const server = await OpenAiServer.start(script)
  const connection = new Connection({
    baseUrl: new URL(options.baseUrl ?? server.baseUrl),
    apiKey: options.apiKey ?? 'key-of-the-test',
    responseBytesMax: limits.providerAnswerBytesMax,
    socketsMax: 8,
  })
  const provider = new OpenAiProvider(
    { transcription: connection, chat: connection },
    {
      transcriptionModel: options.model ?? 'whisper-1',
      chatModel: 'gpt-4o-mini',
      language: 'en',
      pieceTargetMs: options.pieceTargetMs ?? 300_000,
    },
  )
  t.after(async () => {
    provider.close()
    await server.stop()
  })
  return { server, provider }
}

export const never = (): AbortSignal => new AbortController().signal
