/** What `GET …/transcript` answers: the result of an analysis with its segments. */
import Type, { type Static } from 'typebox'
import { AnalysisResult, Transcript } from './analysis.js'
import { CallIdText } from './packet.js'

export const CallTranscript = Type.Object(
  {
    call_id: CallIdText,
    ...Type.Omit(AnalysisResult, ['transcript']).properties,
    ...Transcript.properties,
  },
  { $id: 'CallTranscript' },
)
export type CallTranscript = Static<typeof CallTranscript>
