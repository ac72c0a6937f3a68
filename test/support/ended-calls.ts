/** Calls that are over, written straight into a journal: what the service would have made of them. */
import { transition } from 'xstate'
import { newCall } from '../../src/actors/call-context.js'
import { callMachine } from '../../src/actors/call-machine.js'
import { snapshotOf } from '../../src/actors/call-replay.js'
import { TrackLogs } from '../../src/actors/track-logs.js'
import type { AnalysisResult } from '../../src/protocol/analysis.js'
import type { LifecycleEntry } from '../../src/store/journal.js'
import { analysed } from './analysed.js'
import { callId } from './calls.js'
import { type AnyJournal, append, packetEntry } from './journals.js'

const day = 1_700_000_000_000

/** A call of one packet. */
export async function endedCall(
  journal: AnyJournal,
  name: string,
  result: AnalysisResult,
  endedAt = day,
): Promise<void> {
  const id = callId(name)
  const logs = new TrackLogs()
  logs.first.mark(0)
  const entries: readonly LifecycleEntry[] = [
    { type: 'completed', at: endedAt, reason: 'completed', totalPackets: 1, dueAt: endedAt },
    { type: 'grace-over', at: endedAt },
    { type: 'attempt-started', at: endedAt, attempt: 1, provider: 'local' },
    await analysed(result, endedAt),
  ]
  const packet = packetEntry(0)
  const context = { ...newCall(id, endedAt, endedAt, logs), lastPacketAt: packet.receivedAt }
  const first = callMachine.resolveState({ value: 'IN_PROGRESS', context })
  const ended = entries.reduce((state, entry) => transition(callMachine, state, entry)[0], first)
  await append(journal, journal.create(id), [packet, ...entries], snapshotOf(ended, true))
}

/** As the local provider makes it of a long call: some 250 bytes a segment. */
export function longResult(segments: number): AnalysisResult {
  const texts = [...Array(segments).keys()].map(
    (index) => `Turn ${index}: thank you for waiting, I see the invoice here.`,
  )
  return {
    transcription: texts.join('\n'),
    sentiment: 'positive',
    confidence: 0.9,
    score: 0.4,
    transcript: {
      coverage: 1,
      segments: texts.map((text, index) => ({
        start: index,
        end: index,
        channel: 0,
        text,
        confidence: null,
        coverage: 1,
      })),
    },
    turns: texts.map((_, index) => ({
      first_segment: index,
      last_segment: index,
      sentiment: 'positive',
      score: 0.3612,
    })),
  }
}
