/** The life of a call, step by step, with what is still to come. */
import type { CallView } from '../../protocol/call.js'
import type { Step } from '../feed/call-watch.js'
import { formatDateAndTime, formatDuration, formatTime } from '../format.js'
import { silentAfterMs } from '../model/attention.js'

interface Mark extends Step {
  readonly kind: 'done' | 'bad' | 'now'
}

interface TimelineProps {
  readonly view: CallView
  readonly steps: readonly Step[]
  readonly now: number
}

export function Timeline({ view, steps, now }: TimelineProps) {
  const marks = marksOf(view, steps, now)
  const first = marks[0]?.at ?? 0
  return (
    <ol class="timeline">
      {marks.map(({ at, text, kind }, index) => (
        <li key={`${index}-${text}`} class={`mark-${kind}`}>
          <time title={formatDateAndTime(at)} dateTime={new Date(at).toISOString()}>
            {formatTime(at)}
          </time>
          <span>{text}</span>
          <span class="quiet">{kind === 'now' ? '' : `+${formatDuration(at - first)}`}</span>
        </li>
      ))}
    </ol>
  )
}

const endings: Readonly<Record<NonNullable<CallView['reason']>, string>> = {
  completed: 'Completed by the PBX',
  idle_timeout: 'Ended by the idle timeout: the PBX did not complete it',
  no_audio: 'Ended by the PBX without a packet',
  stream_lost: 'Ended: the last media stream was lost, and no other came',
}

function marksOf(view: CallView, steps: readonly Step[], now: number): readonly Mark[] {
  const { ai } = view
  const marks: Mark[] = [{ at: Date.parse(view.created_at), text: 'The call began', kind: 'done' }]
  if (view.completed_at !== null) {
    if (view.last_packet_at !== null)
      marks.push({ at: Date.parse(view.last_packet_at), text: 'Last packet', kind: 'done' })
    marks.push({ at: Date.parse(view.completed_at), text: endings[view.reason ?? 'completed'], kind: 'done' })
  }
  for (const step of [...streamSteps(view), ...steps]) marks.push({ ...step, kind: 'done' })
  if (view.ended_at !== null) {
    const tries = `${ai.attempts} ${ai.attempts === 1 ? 'attempt' : 'attempts'}${retriesText(ai.redrives)}`
    const at = Date.parse(view.ended_at)
    if (view.state === 'FAILED')
      marks.push({
        at,
        text: `Analysis failed after ${tries}${ai.error === null ? '' : `: ${ai.error}`}`,
        kind: 'bad',
      })
    else if (view.reason === 'no_audio')
      marks.push({ at, text: 'Archived: nothing to analyse', kind: 'done' })
    else marks.push({ at, text: `Analysed and archived, ${tries}`, kind: 'done' })
  }
  marks.sort((a, b) => a.at - b.at)
  const coming = comingOf(view, now)
  if (coming !== null) marks.push({ at: now, text: coming, kind: 'now' })
  return marks
}

/** What happened on the call's media streams. Each pressed digit is a note; they are told together. */
function streamSteps({ legs = [], notes = [], tracks = [], digits = 0 }: CallView): readonly Step[] {
  const nameOf = (track: number) => tracks.find((other) => other.track === track)?.name ?? `track ${track}`
  const steps: Step[] = []
  for (const { dialect, started_at, ended_at, ended_by, tracks: own } of legs) {
    const what = `stream of ${own.map(({ track }) => nameOf(track)).join(' and ')} (${dialect})`
    steps.push({ at: Date.parse(started_at), text: `Began: ${what}` })
    if (ended_at !== null)
      steps.push({ at: Date.parse(ended_at), text: `${endedBy[ended_by ?? 'lost']}: ${what}` })
  }
  for (const { at, kind, text, track, packets = 0 } of notes) {
    if (kind === 'dtmf') continue
    const who = track === undefined ? '' : ` (${nameOf(track)})`
    const told =
      kind === 'skipped'
        ? `${packets} packets without audio, ${text ?? 'unknown'}`
        : `${noteNames[kind]}${text === undefined ? '' : ` ${text}`}`
    steps.push({ at: Date.parse(at), text: `${told}${who}` })
  }
  const last = notes.findLast(({ kind }) => kind === 'dtmf')
  if (last !== undefined) steps.push({ at: Date.parse(last.at), text: `${digits} digits pressed so far` })
  return steps
}

const endedBy = { stopped: 'Ended', closed: 'Closed', lost: 'Lost' } as const
const noteNames = {
  mark: 'Mark',
  paused: 'Paused',
  resumed: 'Resumed',
  held: 'On hold:',
  hangup: 'Hung up,',
} as const

const retriesText = (retries: number): string =>
  retries === 0 ? '' : `, ${retries === 1 ? 'a retry' : `${retries} retries`} by hand`

function comingOf({ state, ai, created_at, last_packet_at }: CallView, now: number): string | null {
  const lastAt = Date.parse(last_packet_at ?? created_at)
  if (state === 'IN_PROGRESS' && now - lastAt >= silentAfterMs) return `Silent since ${formatTime(lastAt)}`
  if (state === 'IN_PROGRESS') return 'In progress: packets arrive'
  if (state === 'COMPLETED') return 'Grace period: late packets still count'
  if (state !== 'PROCESSING_AI') return null
  const error = ai.error === null ? '' : ` Last error: ${ai.error}.`
  if (ai.waiting_for === 'provider') return `Waiting: the AI provider is down for all calls.${error}`
  if (ai.attempts === 0) return 'Waiting for the first attempt at analysis'
  if (ai.waiting_for === 'slot')
    return `Attempt ${ai.attempts} failed; the next one waits for a free slot.${error}`
  const wait = ai.next_attempt_at === null ? 0 : Date.parse(ai.next_attempt_at) - now
  if (wait > 0) return `Attempt ${ai.attempts} failed; the next one is in ${formatDuration(wait)}.${error}`
  return `Attempt ${ai.attempts} at analysis is running.${error}`
}
