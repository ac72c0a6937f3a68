/** One call: its packets as a picture, its life as a timeline, what was said, and its rate as a line. */
import type { ComponentChildren } from 'preact'
import { useEffect, useMemo, useReducer, useRef } from 'preact/hooks'
import type { CallView } from '../../protocol/call.js'
import { CallWatch } from '../feed/call-watch.js'
import type { Session } from '../feed/session.js'
import { formatCount, formatDuration, formatRate, formatShare } from '../format.js'
import { detailLinesOf } from '../model/call-details.js'
import { Chart, type Line } from '../parts/chart.js'
import { GapPicture } from '../parts/gap-picture.js'
import { useCopy } from '../parts/hooks.js'
import { IconButton } from '../parts/icon-button.js'
import { StateLabel } from '../parts/icons.js'
import { Alerts } from './alerts.js'
import { AudioPlayer, usePlayer } from './audio-player.js'
import { CallDetails } from './call-details.js'
import { CallResult } from './call-result.js'
import { Empty } from './empty.js'
import { LiveListening } from './live-listening.js'
import { RetryAction } from './retry-action.js'
import { Timeline } from './timeline.js'
import { TrackPackets, Tracks, trackName } from './tracks.js'

interface CallPanelProps {
  readonly callId: string
  readonly session: Session
  readonly now: number
  close(): void
}

/** Events of a call come fifty a second; nobody sees more pictures than this. */
const drawMs = 250
const chartSecondsMax = 900

function useCall(session: Session, callId: string): readonly [CallWatch, version: number] {
  const [version, redraw] = useReducer((count: number) => count + 1, 0)
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)
  const watch = useMemo(() => {
    const changed = () => {
      timer.current ??= setTimeout(() => {
        timer.current = undefined
        redraw(0)
      }, drawMs)
    }
    return new CallWatch(session, callId, changed)
  }, [session, callId])
  useEffect(
    () => () => {
      clearTimeout(timer.current)
      watch.stop()
    },
    [watch],
  )
  return [watch, version]
}

export function CallPanel({ callId, session, now, close }: CallPanelProps) {
  const [watch, version] = useCall(session, callId)
  const [isCopied, copy] = useCopy()
  const title = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    // On its own page the call takes the focus; beside the list the list keeps it.
    if (getComputedStyle(document.querySelector('.main') ?? document.body).display === 'none')
      title.current?.focus()
  }, [])
  const { content } = watch
  return (
    <aside class="panel" aria-labelledby="call-title">
      <div class="panel-head">
        <IconButton drawing="back" label="Back to the list" class="panel-back" onClick={close} />
        <h2 id="call-title" class="call-id" tabIndex={-1} ref={title}>
          {callId}
        </h2>
        <IconButton
          drawing={isCopied ? 'check' : 'link'}
          label={isCopied ? 'Copied' : 'Copy the link to this call'}
          onClick={() => copy(location.href)}
        />
        <IconButton
          drawing="close"
          label="Close the call"
          title="Close (Esc)"
          class="panel-close"
          onClick={close}
        />
      </div>
      {content.kind === 'loading' && <Empty drawing="wave" title="Reading the call…" />}
      {content.kind === 'unknown' && (
        <Empty drawing="search" title="No such call">
          <p>
            No call has this id. It may have been erased. If its first packet is still to come, the call
            appears here automatically.
          </p>
        </Empty>
      )}
      {content.kind === 'failed' && (
        <Empty drawing="close" title="The call could not be read">
          <p>{content.reason} Retrying automatically.</p>
          <button type="button" class="button" onClick={() => watch.readNow()}>
            Try now
          </button>
        </Empty>
      )}
      {content.kind === 'loaded' && (
        <CallContent view={content.view} watch={watch} version={version} now={now} session={session} />
      )}
    </aside>
  )
}

interface CallContentProps {
  readonly view: CallView
  readonly watch: CallWatch
  readonly version: number
  readonly now: number
  readonly session: Session
}

const rateLines: readonly Line[] = [{ name: 'Packets a second', colour: '--accent', isFilled: true }]

function CallContent({ view, watch, version, now, session }: CallContentProps) {
  const { missing, arrivals } = watch
  const end = Date.parse(view.completed_at ?? view.last_packet_at ?? view.created_at)
  const until = view.state === 'IN_PROGRESS' ? now : end
  // Arrivals change in place; their version tells.
  const rate = useMemo(() => arrivals.perSecond(until, chartSecondsMax), [version, Math.floor(until / 1000)])
  const details = detailLinesOf(view)
  // Of a call that is over people want the words, and of one that goes on its packets.
  const isOver = view.ended_at !== null
  const conversation = <Conversation view={view} session={session} readAgain={() => watch.readNow()} />
  const lateCount = Math.max(view.late_count, watch.past === 'whole' ? arrivals.late.size : 0)
  return (
    <>
      <div class="panel-state">
        <StateLabel state={view.state} />
        <span class="quiet">{lengthOf(view, now)}</span>
        {!watch.isLive && <span class="tag tag-old">not live: reconnecting</span>}
        {watch.failure !== null && (
          <span class="tag tag-old tag-long" role="status">
            could not be read anew: {watch.failure}
          </span>
        )}
      </div>
      {view.state === 'IN_PROGRESS' && heardTracks(view).length > 0 && (
        <PanelSection title="Sound">
          <LiveListening callId={view.call_id} session={session} listeners={view.listeners ?? []} />
        </PanelSection>
      )}
      <Alerts alerts={view.insight?.alerts ?? []} now={now} />
      {isOver && conversation}
      <dl class="call-figures">
        <CallFigure name="Received" value={formatCount(view.total_received)} note={totalNote(view)} />
        <CallFigure
          name="Missing"
          value={formatCount(view.missing_count)}
          note={lossNote(view)}
          tone={view.missing_count > 0 ? 'bad' : 'plain'}
        />
        <CallFigure name="Late" value={formatCount(lateCount)} note="closed a gap" />
        <CallFigure name="Duplicate" value={formatCount(view.duplicate_count)} note="received twice" />
      </dl>
      {details.length > 0 && (
        <PanelSection title="Details">
          <CallDetails lines={details} />
        </PanelSection>
      )}
      {view.tracks !== undefined && (
        <PanelSection title="Tracks">
          <Tracks tracks={view.tracks} />
        </PanelSection>
      )}
      <PanelSection
        title={view.tracks === undefined ? 'Packets' : `Packets of ${trackName(view.tracks[0] ?? noTrack)}`}
      >
        {missing.highest < 0 ? (
          <p class="quiet">No packet yet.</p>
        ) : (
          <>
            <GapPicture
              ranges={missing.ranges}
              late={arrivals.late}
              last={missing.highest}
              version={version}
            />
            {watch.past === 'recent' && (
              <p class="quiet small">
                Late packets are shown for the last 15,000 packets and since you opened the call.
              </p>
            )}
            <MissingList watch={watch} />
          </>
        )}
      </PanelSection>
      {view.tracks?.slice(1).map((track) => (
        <PanelSection key={track.track} title={`Packets of ${trackName(track)}`}>
          <TrackPackets track={track} />
        </PanelSection>
      ))}
      {!isOver && conversation}
      <PanelSection title="Lifecycle">
        <Timeline view={view} steps={watch.steps} now={now} />
      </PanelSection>
      <PanelSection title="Packets a second">
        {rate[0].length < 2 ? (
          <p class="quiet">Too few packets for a chart.</p>
        ) : (
          <Chart
            label="Packets a second"
            lines={rateLines}
            data={rate}
            height={168}
            most={10}
            format={formatRate}
          />
        )}
      </PanelSection>
    </>
  )
}

interface ConversationProps {
  readonly view: CallView
  readonly session: Session
  readAgain(): void
}

function Conversation({ view, session, readAgain }: ConversationProps) {
  const heard = heardTracks(view)
  const player = usePlayer(view.call_id, session, view.ended_at !== null && heard.length > 0)
  return (
    <PanelSection title="Transcript">
      {player !== null && (
        <AudioPlayer
          player={player}
          callId={view.call_id}
          session={session}
          tracks={heard.length > 1 ? heard : []}
        />
      )}
      <CallResult view={view} session={session} player={player} />
      {view.state === 'FAILED' && (
        // Who failed once more may be asked again.
        <RetryAction key={view.ended_at} callId={view.call_id} session={session} readAgain={readAgain} />
      )}
    </PanelSection>
  )
}

const noTrack = { track: 0, name: null }

/** The tracks that hold audio. */
function heardTracks({
  media,
  tracks,
}: CallView): readonly { readonly track: number; readonly name: string }[] {
  if (tracks === undefined) return media.encoding === 'text' ? [] : [{ track: 0, name: trackName(noTrack) }]
  return tracks.flatMap(({ track, name, media: own, total_received }) =>
    own.encoding === 'text' || total_received === 0 ? [] : [{ track, name: trackName({ track, name }) }],
  )
}

function PanelSection({ title, children }: { readonly title: string; readonly children: ComponentChildren }) {
  return (
    <section class="panel-section">
      <h3>{title}</h3>
      {children}
    </section>
  )
}

interface CallFigureProps {
  readonly name: string
  readonly value: string
  readonly note: string
  readonly tone?: 'plain' | 'bad'
}

function CallFigure({ name, value, note, tone = 'plain' }: CallFigureProps) {
  return (
    <div class={`call-figure tone-${tone}`}>
      <dt>{name}</dt>
      <dd>
        <span class="figure-value">{value}</span>
        <span class="figure-note">{note}</span>
      </dd>
    </div>
  )
}

function lengthOf(view: CallView, now: number): string {
  const began = Date.parse(view.created_at)
  if (view.completed_at === null) return `for ${formatDuration(now - began)}`
  return `lasted ${formatDuration(Date.parse(view.last_packet_at ?? view.created_at) - began)}`
}

function totalNote(view: CallView): string {
  if (view.expected_total_packets === null) return 'so far'
  const surplus = view.surplus_count > 0 ? `, ${formatCount(view.surplus_count)} more than that` : ''
  return `of ${formatCount(view.expected_total_packets)}${surplus}`
}

function lossNote({ missing_count: missing, total_received: received }: CallView): string {
  return missing === 0 ? 'none' : `${formatShare(missing / (missing + received))} of the call`
}

const rangesShownMax = 200

function MissingList({ watch }: { readonly watch: CallWatch }) {
  const { ranges } = watch.missing
  if (ranges.length === 0) return null
  return (
    <details class="missing-list">
      <summary>
        {formatCount(ranges.length)} missing {ranges.length === 1 ? 'range' : 'ranges'}
      </summary>
      <p class="numbers">
        {ranges.slice(0, rangesShownMax).map(([first, last]) => (
          <span key={first}>{first === last ? first : `${first}–${last}`}</span>
        ))}
        {ranges.length > rangesShownMax && (
          <span>and {formatCount(ranges.length - rangesShownMax)} more</span>
        )}
      </p>
    </details>
  )
}
