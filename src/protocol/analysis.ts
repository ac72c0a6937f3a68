/** The words of an analysis: what was said on a call, what it means, and what it took to find out. */

import Type, { type Static } from 'typebox'
import { limits } from '../limits.js'
import { nullable } from './nullable.js'

export const Sentiment = Type.Union([
  Type.Literal('positive'),
  Type.Literal('neutral'),
  Type.Literal('negative'),
  Type.Literal('mixed'),
])
export type Sentiment = Static<typeof Sentiment>

export const Incomplete = Type.Optional(
  Type.Literal(true, { description: 'Present if parts of the call were not transcribed.' }),
)

/** Whether the meaning of a call is known. */
export const FindingsState = Type.Union(
  [Type.Literal('pending'), Type.Literal('done'), Type.Literal('failed')],
  {
    description:
      'Whether sentiment, summary and topics are known: `pending` while the call is analysed, `failed` if the analysis failed. The words may be known in every case.',
  },
)
export type FindingsState = Static<typeof FindingsState>

export const Truncated = Type.Optional(
  Type.Literal(true, { description: 'Present if `transcription` is only the beginning.' }),
)

const share = (description: string) => Type.Number({ minimum: 0, maximum: 1, description })
const score = Type.Number({
  minimum: -1,
  maximum: 1,
  description: 'From −1, very negative, to 1, very positive.',
})

export const Redaction = Type.Object({
  kind: Type.Union([
    Type.Literal('card'),
    Type.Literal('iban'),
    Type.Literal('email'),
    Type.Literal('phone'),
    Type.Literal('ssn'),
    Type.Literal('number'),
  ]),
  from: Type.Integer({ minimum: 0, description: 'First character of the mask in `text`.' }),
  to: Type.Integer({ minimum: 0, description: 'The character behind it.' }),
  start: Type.Number({
    minimum: 0,
    description: 'Seconds from the start of the call: of the masked words, or of the segment.',
  }),
  end: Type.Number({ minimum: 0 }),
})
export type Redaction = Static<typeof Redaction>

export const TranscriptSegment = Type.Object({
  start: Type.Number({ minimum: 0, description: 'Seconds from the start of the call.' }),
  end: Type.Number({ minimum: 0 }),
  channel: Type.Integer({ minimum: 0 }),
  text: Type.String({ maxLength: limits.transcriptionCharactersMax }),
  confidence: nullable(share('As the provider says; null where it does not.')),
  coverage: share('The share of its audio that arrived: below 1, words may be missing or wrong.'),
  redactions: Type.Optional(
    Type.Array(Redaction, { description: 'The masks in `text`. Present if there are any (`REDACT`).' }),
  ),
})
export type TranscriptSegment = Static<typeof TranscriptSegment>

export const TurnSentiment = Type.Object({
  first_segment: Type.Integer({ minimum: 0 }),
  last_segment: Type.Integer({ minimum: 0 }),
  sentiment: Sentiment,
  score,
})
export type TurnSentiment = Static<typeof TurnSentiment>

/** One request to a provider, for who pays it and who looks for what went wrong. */
export const ProviderRequest = Type.Object({
  what: Type.Union([Type.Literal('transcription'), Type.Literal('chat')]),
  attempt: Type.Integer({ minimum: 1 }),
  status: Type.Integer({ minimum: 0, description: 'HTTP status; 0 if no answer came.' }),
  latency_ms: Type.Integer({ minimum: 0 }),
  bytes_sent: Type.Integer({ minimum: 0 }),
  bytes_received: Type.Integer({ minimum: 0 }),
  audio_seconds: nullable(Type.Number({ minimum: 0 })),
  tokens: nullable(Type.Integer({ minimum: 0 })),
})
export type ProviderRequest = Static<typeof ProviderRequest>

/** Seconds of the call. */
const UnheardPart = Type.Object({
  channel: Type.Integer({ minimum: 0 }),
  start: Type.Number({ minimum: 0 }),
  end: Type.Number({ minimum: 0 }),
})
export type UnheardPart = Static<typeof UnheardPart>

export const Transcript = Type.Object({
  coverage: share('The share of the call that arrived.'),
  segments: Type.Array(TranscriptSegment, { maxItems: limits.transcriptSegmentsMax }),
  unheard: Type.Optional(
    Type.Array(UnheardPart, {
      maxItems: limits.transcriptSegmentsMax,
      description: 'The parts of the call that were not transcribed. Present if there are any.',
    }),
  ),
  voices: Type.Optional(
    Type.Array(Type.String(), {
      description: 'Who speaks on each channel, where the call’s tracks have names.',
    }),
  ),
})
export type Transcript = Static<typeof Transcript>

/** The answer of a provider. Text is bounded, because it is somebody else's. */
export const AnalysisResult = Type.Object(
  {
    transcription: Type.String({ maxLength: limits.transcriptionCharactersMax }),
    sentiment: Sentiment,
    confidence: share('Of the sentiment.'),
    score: Type.Optional(score),
    transcript: Type.Optional(Transcript),
    turns: Type.Optional(Type.Array(TurnSentiment, { maxItems: limits.transcriptSegmentsMax })),
    summary: Type.Optional(Type.String({ maxLength: limits.summaryCharactersMax })),
    topics: Type.Optional(Type.Array(Type.String(), { maxItems: limits.findingsListedMax })),
    action_items: Type.Optional(Type.Array(Type.String(), { maxItems: limits.findingsListedMax })),
    requests: Type.Optional(Type.Array(ProviderRequest, { maxItems: limits.ledgerRequestsMax })),
  },
  { $id: 'AnalysisResult' },
)
export type AnalysisResult = Static<typeof AnalysisResult>

/** The words of a call, whatever becomes of their meaning. */
export interface HeardWords {
  readonly transcription: string
  readonly transcript: Transcript
  readonly requests: ProviderRequest[]
}

/** The part of a result in lists, views and events; all of it is in the transcript. Bounded, because a call remembers it. */
export interface AnalysisDigest extends WordsDigest {
  readonly sentiment: Sentiment
  readonly confidence: number
}

export interface WordsDigest {
  /** Of what was said, at most `digestCharactersMax`. */
  readonly beginning: string
  readonly isTruncated: boolean
  /** Parts of the call were not transcribed. */
  readonly isIncomplete?: true
  /** Of the transcript as JSON. */
  readonly bytes: number
}
