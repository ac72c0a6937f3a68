/** The entry that an analysis with this result leaves in its call's journal. */
import type { AnalysisResult } from '../../src/protocol/analysis.js'
import { writeTranscript, writeWords } from '../../src/protocol/transcript.js'
import type { LifecycleEntry } from '../../src/store/journal.js'

type Analysed = Extract<LifecycleEntry, { type: 'analysed' }>

export async function analysed(result: AnalysisResult, at = 1, coverage = 1): Promise<Analysed> {
  return { type: 'analysed', at, ...(await writeTranscript(result, coverage)) }
}

/** That of one which knows the words alone. */
export async function heard(text: string, at = 1): Promise<Extract<LifecycleEntry, { type: 'heard' }>> {
  const segments = [{ start: 0, end: 1, channel: 0, text, confidence: null, coverage: 1 }]
  const words = { transcription: text, transcript: { coverage: 1, segments }, requests: [] }
  return { type: 'heard', at, ...(await writeWords(words)) }
}
