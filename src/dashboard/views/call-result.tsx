/** The transcript and findings of an analysed call. */

import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { CallView } from '../../protocol/call.js'
import type { CallTranscript } from '../../protocol/transcript.js'
import { callPath } from '../feed/api-path.js'
import type { Session } from '../feed/session.js'
import { formatCount, formatShare } from '../format.js'
import { fileNameOf } from '../model/call-name.js'
import {
  type Doubt,
  doubtOf,
  formatOffset,
  spokenLine,
  type TranscriptLine,
  transcriptLinesOf,
  unheardText,
} from '../model/transcript-lines.js'
import { DownloadLink } from '../parts/download-link.js'
import { Drawing, SentimentLabel } from '../parts/icons.js'
import type { Player } from './audio-player.js'
import { RequestLedger } from './request-ledger.js'

interface CallResultProps {
  readonly view: CallView
  readonly session: Session
  /** Null where nothing can be played. */
  readonly player: Player | null
}

type Content =
  | { readonly kind: 'loading' }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'loaded'; readonly transcript: CallTranscript }

const notYet: Readonly<Record<CallView['state'], string>> = {
  IN_PROGRESS: 'The transcript is made after the call.',
  COMPLETED: 'The call is over. Late packets may still arrive; then it is analysed.',
  PROCESSING_AI: 'The analysis is running.',
  ARCHIVED: 'No transcript.',
  FAILED: 'The analysis failed. No transcript.',
}

export function CallResult({ view, session, player }: CallResultProps) {
  const { transcription, sentiment, confidence, provider, error } = view.ai
  if (transcription === null)
    return (
      <p class="quiet">
        {notYet[view.state]}
        {error !== null && ` Last error: ${error}`}
      </p>
    )
  return (
    <>
      <p class="transcript-head">
        <SentimentLabel sentiment={sentiment} />
        {confidence !== null && <span class="quiet">{formatShare(confidence)} confidence</span>}
        {provider !== null && (
          <span class="tag">
            {provider === 'simulated' ? 'simulated, not real speech recognition' : provider}
          </span>
        )}
      </p>
      {view.ai.findings !== 'done' && (
        <p class="quiet">
          {view.ai.findings === 'failed' ? 'The analysis failed.' : 'The analysis is running.'}
          {error !== null && ` Last error: ${error}`}
        </p>
      )}
      {/* An id that was erased and used again is another call. */}
      <Analysed
        key={`${view.created_at} ${view.ended_at}`}
        callId={view.call_id}
        session={session}
        player={player}
      />
    </>
  )
}

interface AnalysedProps {
  readonly callId: string
  readonly session: Session
  readonly player: Player | null
}

function Analysed({ callId, session, player }: AnalysedProps) {
  const [content, retry] = useTranscript(callId, session)
  if (content.kind === 'loading') return <p class="quiet">Loading the transcript…</p>
  if (content.kind === 'failed')
    return (
      <>
        <p class="quiet">The transcript could not be read: {content.reason}.</p>
        <button type="button" class="button" onClick={retry}>
          Load the transcript again
        </button>
      </>
    )
  const { summary, topics = [], action_items: actionItems = [], coverage, requests = [] } = content.transcript
  const doubt = doubtOf(coverage, 'the call')
  const unheard = unheardText(content.transcript)
  return (
    <>
      {summary !== undefined && summary !== '' && (
        <p class="summary" dir="auto">
          {summary}
        </p>
      )}
      <Findings name="Topics" kind="topics" texts={topics} />
      <Findings name="To do" kind="action-items" texts={actionItems} />
      {doubt !== null && <DoubtNote doubt={doubt} />}
      {unheard !== null && <DoubtNote doubt={{ text: unheard, isGrave: true }} />}
      <Lines transcript={content.transcript} player={player} />
      <Downloads callId={callId} session={session} />
      <RequestLedger requests={requests} />
    </>
  )
}

function useTranscript(callId: string, session: Session): readonly [Content, retry: () => void] {
  const [content, setContent] = useState<Content>({ kind: 'loading' })
  const [attempt, setAttempt] = useState(0)
  useEffect(() => {
    let isGone = false
    const tell = (told: Content) => {
      if (!isGone) setContent(told)
    }
    tell({ kind: 'loading' })
    session.read<CallTranscript>(`${callPath(callId)}/transcript`).then(
      (transcript) => tell({ kind: 'loaded', transcript }),
      (error: unknown) =>
        tell({ kind: 'failed', reason: error instanceof Error ? error.message : String(error) }),
    )
    return () => {
      isGone = true
    }
  }, [callId, session, attempt])
  return [content, () => setAttempt((count) => count + 1)]
}

interface FindingsProps {
  readonly name: string
  readonly kind: string
  readonly texts: readonly string[]
}

function Findings({ name, kind, texts }: FindingsProps) {
  if (texts.length === 0) return null
  return (
    <div class="findings">
      <h4 id={`findings-${kind}`}>{name}</h4>
      <ul class={kind} aria-labelledby={`findings-${kind}`}>
        {texts.map((text, index) => (
          <li key={`${index}-${text}`} dir="auto">
            {text}
          </li>
        ))}
      </ul>
    </div>
  )
}

function DoubtNote({ doubt: { text, isGrave } }: { readonly doubt: Doubt }) {
  return (
    <p class={isGrave ? 'doubt' : 'doubt doubt-slight'}>
      {isGrave && <Drawing of="partial" size={14} />}
      {text}
    </p>
  )
}

/** A call of hours has thousands of lines; nobody reads them all, and each costs. */
const linesShownStep = 300

interface LinesProps {
  readonly transcript: CallTranscript
  readonly player: Player | null
}

function Lines({ transcript, player }: LinesProps) {
  const [shown, setShown] = useState(linesShownStep)
  const lines = useMemo(() => transcriptLinesOf(transcript), [transcript])
  const spoken = player?.time == null ? -1 : spokenLine(lines, player.time)
  const latest = useRef(player)
  latest.current = player
  const canPlay = player !== null
  // The panel is drawn twice a second for its times; these lines stay as they are.
  const drawn = useMemo(() => {
    const play = canPlay ? (seconds: number) => latest.current?.playFrom(seconds) : null
    return lines
      .slice(0, shown)
      .map((line, index) => <Line key={index} line={line} isSpoken={index === spoken} play={play} />)
  }, [lines, shown, spoken, canPlay])
  if (lines.length === 0) return <p class="quiet">Nothing was said.</p>
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached with the keys, too.
    <div class="transcript" tabIndex={0} role="region" aria-label="Transcript">
      <ol class="segments">{drawn}</ol>
      {lines.length > shown && (
        <button type="button" class="button" onClick={() => setShown(shown + linesShownStep)}>
          Show more of {formatCount(lines.length)} parts
        </button>
      )}
    </div>
  )
}

interface LineProps {
  readonly line: TranscriptLine
  /** It is what is played now. */
  readonly isSpoken: boolean
  /** Null where nothing can be played. */
  readonly play: ((seconds: number) => void) | null
}

function Line({ line: { start, channel, text, doubt, sentiment }, isSpoken, play }: LineProps) {
  const time = <time dateTime={`PT${start}S`}>{formatOffset(start)}</time>
  return (
    <li class={isSpoken ? 'spoken' : ''} aria-current={isSpoken ? 'true' : undefined}>
      <span class="segment-head">
        {play === null ? (
          time
        ) : (
          <button
            type="button"
            class="seek"
            aria-label={`Play from ${formatOffset(start)}`}
            onClick={() => play(start)}
          >
            {time}
          </button>
        )}
        {channel !== null && <span>Channel {channel}</span>}
        {sentiment !== null && <SentimentLabel sentiment={sentiment} />}
      </span>
      <div>
        <p dir="auto">{text}</p>
        {doubt !== null && <DoubtNote doubt={doubt} />}
      </div>
    </li>
  )
}

const formats = [
  ['vtt', 'VTT', 'vtt'],
  ['srt', 'SRT', 'srt'],
  ['text', 'Text', 'txt'],
] as const

function Downloads({ callId, session }: { readonly callId: string; readonly session: Session }) {
  return (
    <p class="downloads">
      <span class="quiet">Download</span>
      {formats.map(([format, name, ending]) => (
        <DownloadLink
          key={format}
          path={`${callPath(callId)}/transcript?format=${format}`}
          fileName={fileNameOf(callId, ending)}
          name={name}
          label={`Download the transcript as ${name}`}
          session={session}
        />
      ))}
    </p>
  )
}
