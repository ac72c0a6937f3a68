/**
 * Redaction as analyses use it. A provider that keeps what it has heard, or sends it on, takes it through `Redact` before; everything
 * that a provider answers goes through `redactedResult` or `redactedWords` before it is journaled. What is journaled is what events,
 * lists, the search and all files are made of, so nothing behind the journal knows of redaction.
 */
import { setImmediate as loopTurn } from 'node:timers/promises'
import type { AnalysisResult, HeardWords, Transcript, TranscriptSegment } from '../protocol/analysis.js'
import type { RedactionRule } from '../redaction/kinds.js'
import { type RedactedText, redacting } from '../redaction/redact.js'
import type { Redact } from './provider.js'
import { plainText } from './transcript.js'

/** Null where nothing is masked. */
export function redactBy(rules: ReadonlySet<RedactionRule>): Redact | null {
  if (rules.size === 0) return null
  return async (said, isOpen) => {
    const reading = redacting(said, { rules, isOpen })
    for (;;) {
      const step = reading.next()
      if (step.done === true) return step.value
      // A transcript may be a megabyte, and others want the loop, too.
      await loopTurn()
    }
  }
}

export async function redactedTranscript(transcript: Transcript, redact: Redact | null): Promise<Transcript> {
  if (redact === null) return transcript
  const redacted = await redact(transcript.segments, false)
  const segments = transcript.segments.map((segment, index) => masked(segment, redacted[index]))
  return { ...transcript, segments }
}

function masked(segment: TranscriptSegment, redacted: RedactedText | undefined): TranscriptSegment {
  if (redacted === undefined || redacted.redactions.length === 0) return segment
  return { ...segment, text: redacted.text, redactions: [...redacted.redactions] }
}

export async function redactedWords(words: HeardWords, redact: Redact | null): Promise<HeardWords> {
  if (redact === null) return words
  const transcript = await redactedTranscript(words.transcript, redact)
  return { ...words, transcript, transcription: plainText(transcript.segments) }
}

export async function redactedResult(result: AnalysisResult, redact: Redact | null): Promise<AnalysisResult> {
  if (redact === null) return result
  const text = async (said: string) =>
    (await redact([{ text: said, start: 0, end: 0 }], false))[0]?.text ?? ''
  const list = (texts: readonly string[]) => Promise.all(texts.map(text))
  const { transcript, summary, topics, action_items } = result
  const words =
    transcript === undefined
      ? { transcription: await text(result.transcription) }
      : await redactedTranscript(transcript, redact).then((masked) => ({
          transcript: masked,
          transcription: plainText(masked.segments),
        }))
  return {
    ...result,
    ...words,
    ...(summary === undefined ? {} : { summary: await text(summary) }),
    ...(topics === undefined ? {} : { topics: await list(topics) }),
    ...(action_items === undefined ? {} : { action_items: await list(action_items) }),
  }
}
