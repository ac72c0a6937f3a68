/**
 * A transcript: the whole result of an analysis, with its segments. It is written once, as the text that `GET …/transcript`
 * answers; what a call remembers of it is a digest.
 */
import { setImmediate as loopTurn } from 'node:timers/promises'
import Type, { type Static } from 'typebox'
import { limits } from '../limits.js'
import {
  type AnalysisDigest,
  AnalysisResult,
  FindingsState,
  type HeardWords,
  Transcript,
  type TranscriptSegment,
  type WordsDigest,
} from './analysis.js'
import { CallIdText } from './packet.js'

export const CallTranscript = Type.Object(
  {
    call_id: CallIdText,
    ...Type.Omit(AnalysisResult, ['transcript']).properties,
    sentiment: Type.Union([AnalysisResult.properties.sentiment, Type.Null()]),
    confidence: Type.Union([AnalysisResult.properties.confidence, Type.Null()]),
    findings: FindingsState,
    findings_error: Type.Optional(Type.String({ description: 'Why there are none (yet).' })),
    ...Transcript.properties,
  },
  { $id: 'CallTranscript' },
)
export type CallTranscript = Static<typeof CallTranscript>

export interface WrittenTranscript<Digest extends WordsDigest = AnalysisDigest> {
  readonly digest: Digest
  /** JSON, a `CallTranscript` without its `call_id` and without what becomes of its findings. */
  readonly text: string
}

/** Items that are written in one go: a call has up to 20,000 segments, and others want the loop, too. */
const itemsAtOnce = 256

/** `coverage` of the call, for a provider that tells no segments. */
export async function writeTranscript(result: AnalysisResult, coverage: number): Promise<WrittenTranscript> {
  const { digest, text } = await write(result, coverage)
  const { sentiment, confidence } = result
  return { digest: { ...digest, sentiment, confidence }, text }
}

/** Of a call whose words are known, and what they mean is not. */
export async function writeWords(words: HeardWords): Promise<WrittenTranscript<WordsDigest>> {
  const { digest, text } = await write(
    { ...words, sentiment: null, confidence: null },
    words.transcript.coverage,
  )
  return { digest: words.transcript.unheard === undefined ? digest : { ...digest, isIncomplete: true }, text }
}

type Told = Omit<CallTranscript, 'call_id' | 'findings' | 'findings_error' | 'coverage' | 'segments'> &
  Pick<AnalysisResult, 'transcript'>

async function write(result: Told, coverage: number): Promise<WrittenTranscript<WordsDigest>> {
  const { transcription, sentiment, confidence, transcript, turns, ...rest } = result
  const { segments, ...whole } = transcript ?? { coverage, segments: wholeText(transcription, coverage) }
  const facts = JSON.stringify({ transcription, sentiment, confidence, ...rest, ...whole })
  const lists = [
    ...(turns === undefined ? [] : [`"turns":${await listText(turns)}`]),
    `"segments":${await listText(segments)}`,
  ]
  const text = `${facts.slice(0, -1)},${lists.join(',')}}`
  const beginning = beginningOf(transcription, limits.digestCharactersMax)
  const isTruncated = beginning.length < transcription.length
  return {
    digest: { beginning, isTruncated, bytes: Buffer.byteLength(text) },
    text,
  }
}

async function listText(items: readonly unknown[]): Promise<string> {
  const texts: string[] = []
  for (let first = 0; first < items.length; first += itemsAtOnce) {
    if (first > 0) await loopTurn()
    texts.push(JSON.stringify(items.slice(first, first + itemsAtOnce)).slice(1, -1))
  }
  return `[${texts.join(',')}]`
}

function wholeText(text: string, coverage: number): TranscriptSegment[] {
  return text === '' ? [] : [{ start: 0, end: 0, channel: 0, text, confidence: null, coverage }]
}

/** Never half of a character: a lone surrogate is no text. */
function beginningOf(text: string, charactersMax: number): string {
  if (text.length <= charactersMax) return text
  const code = text.charCodeAt(charactersMax - 1)
  const isHalf = code >= 0xd800 && code < 0xdc00
  return text.slice(0, isHalf ? charactersMax - 1 : charactersMax)
}
