/** The entry that an analysis with this result leaves in its call's journal. */
import type { AnalysisResult } from '../../src/protocol/analysis.js'
import { writeTranscript } from '../../src/protocol/transcript.js'
import type { LifecycleEntry } from '../../src/store/journal.js'

type Analysed = Extract<LifecycleEntry, { type: 'analysed' }>

export async function analysed(result: AnalysisResult, at = 1, coverage = 1): Promise<Analysed> {
  return { type: 'analysed', at, ...(await writeTranscript(result, coverage)) }
}
