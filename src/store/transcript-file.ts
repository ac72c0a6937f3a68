/** A stored transcript as a file to be sent: pure. */
import type { Transcript, TranscriptSegment } from '../protocol/analysis.js'
import type { CallId } from '../protocol/call-id.js'
import { type TranscriptFormat, toSrt, toText, toVtt } from '../protocol/subtitles.js'
import type { CallTranscript } from '../protocol/transcript.js'
import type { RedactionRule } from '../redaction/kinds.js'
import { maskedTimes } from './masked-times.js'

const writers = { vtt: toVtt, srt: toSrt, text: toText } as const
const encoder = new TextEncoder()

/** What the words of a call are told with: the call knows it, not what is stored. */
export type FindingsNote = Pick<CallTranscript, 'findings' | 'findings_error'>

export type TranscriptQuery =
  | { readonly callId: CallId; readonly format: TranscriptFormat; readonly note: FindingsNote }
  /** `MaskedTimes` as JSON. */
  | { readonly callId: CallId; readonly format: 'masks'; readonly rules: readonly RedactionRule[] }

/**
 * `text` as `writeTranscript` has written it, in bytes: megabytes that need not become a string on their way. With a result
 * its findings are there, whatever the call was when it was asked.
 */
export function transcriptFile(
  query: TranscriptQuery,
  { type, text }: { readonly type: string; readonly text: Uint8Array },
): Uint8Array<ArrayBuffer> {
  const parsed = () => JSON.parse(new TextDecoder().decode(text)) as Transcript
  if (query.format === 'masks') return encoder.encode(JSON.stringify(maskedTimes(parsed(), query.rules)))
  const { callId, format, note } = query
  if (format === 'json') {
    const head: Partial<CallTranscript> = {
      call_id: callId,
      ...(type === 'heard' ? note : { findings: 'done' }),
    }
    return withHead(JSON.stringify(head), text)
  }
  return encoder.encode(writers[format](shownSegments(parsed())))
}

/** In a file that has nothing but words, what was not heard would look like silence. */
function shownSegments({ segments, unheard = [] }: Transcript): readonly TranscriptSegment[] {
  if (unheard.length === 0) return segments
  const parts = unheard.map((part) => ({ ...part, text: '[not transcribed]', confidence: null, coverage: 1 }))
  return [...segments, ...parts].sort((a, b) => a.start - b.start || a.channel - b.channel)
}

function withHead(head: string, text: Uint8Array): Uint8Array<ArrayBuffer> {
  const first = encoder.encode(`${head.slice(0, -1)},`)
  const file = new Uint8Array(first.length + text.length - 1)
  file.set(first)
  // Behind the brace that opens it.
  file.set(text.subarray(1), first.length)
  return file
}
