/** A stored transcript as a file to be sent: pure. */
import type { Transcript } from '../protocol/analysis.js'
import type { CallId } from '../protocol/call-id.js'
import { type TranscriptFormat, toSrt, toText, toVtt } from '../protocol/subtitles.js'

const writers = { vtt: toVtt, srt: toSrt, text: toText } as const
const encoder = new TextEncoder()

/** `text` as `writeTranscript` has written it, in bytes: megabytes that need not become a string on their way. */
export function transcriptFile(
  callId: CallId,
  text: Uint8Array,
  format: TranscriptFormat,
): Uint8Array<ArrayBuffer> {
  if (format === 'json') return withCallId(callId, text)
  const { segments } = JSON.parse(new TextDecoder().decode(text)) as Transcript
  return encoder.encode(writers[format](segments))
}

function withCallId(callId: CallId, text: Uint8Array): Uint8Array<ArrayBuffer> {
  const first = encoder.encode(`{"call_id":${JSON.stringify(callId)},`)
  const file = new Uint8Array(first.length + text.length - 1)
  file.set(first)
  // Behind the brace that opens it.
  file.set(text.subarray(1), first.length)
  return file
}
