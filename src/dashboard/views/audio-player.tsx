/** The recording of a call, to play and to keep. Nothing of it is fetched before somebody wants it: it may be hours. */

import type { RefObject } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { type ApiPath, callPath } from '../feed/api-path.js'
import type { Session } from '../feed/session.js'
import { formatBytes } from '../format.js'
import { fileNameOf } from '../model/call-name.js'
import { DownloadLink } from '../parts/download-link.js'

type Audio =
  /** A player sends no credential, so with one the audio is fetched for it. */
  | { readonly kind: 'offered' | 'fetching' | 'failed'; readonly bytes: number }
  | { readonly kind: 'ready'; readonly bytes: number; readonly source: string }

/** What the recording and the words of a call know of each other. */
export interface Player {
  readonly audio: Audio
  /** Of what is played, in seconds; null while nothing is there to play. */
  readonly time: number | null
  readonly element: RefObject<HTMLAudioElement | null>
  load(): Promise<void>
  /** From these seconds on, fetched first where it must be. */
  playFrom(seconds: number): void
  told(): void
}

/** Null for a call that goes on, or holds nothing that can be played. */
export function usePlayer(callId: string, session: Session, isRecorded: boolean): Player | null {
  const [audio, setAudio] = useState<Audio | null>(null)
  const [time, setTime] = useState<number | null>(null)
  const element = useRef<HTMLAudioElement>(null)
  const wanted = useRef<number | null>(null)
  const isGone = useRef(false)
  const path: ApiPath = `${callPath(callId)}/audio.wav`
  useEffect(() => {
    if (!isRecorded) return
    isGone.current = false
    session.ask(path, 'HEAD').then(
      ({ headers }) => {
        if (isGone.current) return
        const bytes = Number(headers.get('content-length'))
        setAudio(session.hasToken ? { kind: 'offered', bytes } : { kind: 'ready', bytes, source: path })
      },
      // No audio is no failure: the call holds nothing that can be played.
      () => {},
    )
    return () => {
      isGone.current = true
    }
  }, [path, session, isRecorded])
  const source = audio?.kind === 'ready' ? audio.source : null
  useEffect(() => () => URL.revokeObjectURL(source ?? ''), [source])
  const playFrom = (seconds: number) => {
    wanted.current = seconds
    if (audio?.kind === 'offered' || audio?.kind === 'failed') return void load()
    if (element.current === null) return
    wanted.current = null
    element.current.currentTime = seconds
    void element.current.play()
  }
  const load = async () => {
    if (audio?.kind !== 'offered' && audio?.kind !== 'failed') return
    const { bytes } = audio
    setAudio({ kind: 'fetching', bytes })
    try {
      const loaded = await session.file(path)
      // Nobody would give its memory back.
      if (!isGone.current) setAudio({ kind: 'ready', bytes, source: URL.createObjectURL(loaded) })
    } catch {
      setAudio({ kind: 'failed', bytes })
    }
  }
  // What was wanted of it while it was fetched.
  useEffect(() => {
    if (source !== null && wanted.current !== null) playFrom(wanted.current)
  }, [source])
  if (audio === null) return null
  return { audio, time, element, load, playFrom, told: () => setTime(element.current?.currentTime ?? null) }
}

interface AudioPlayerProps {
  readonly player: Player
  readonly callId: string
  readonly session: Session
  /** Where the call has several that can be heard. */
  readonly tracks: readonly { readonly track: number; readonly name: string }[]
}

export function AudioPlayer({ player, callId, session, tracks }: AudioPlayerProps) {
  const { audio, element } = player
  usePlayerKeys(element)
  if (audio.kind !== 'ready') {
    const { kind, bytes } = audio
    return (
      <p class="downloads">
        <button
          type="button"
          class="button"
          disabled={kind === 'fetching'}
          onClick={() => void player.load()}
        >
          Load the audio ({formatBytes(bytes)})
        </button>
        <span class="quiet" role="status">
          {kind === 'fetching' && 'Loading…'}
          {kind === 'failed' && 'The audio could not be loaded'}
        </span>
      </p>
    )
  }
  return (
    <div class="player">
      {/* biome-ignore lint/a11y/useMediaCaption: its transcript stands below it. */}
      <audio
        class="audio"
        controls
        preload="none"
        ref={element}
        src={audio.source}
        onTimeUpdate={player.told}
        aria-label={`Audio of call ${callId}`}
      />
      <p class="downloads">
        <a href={audio.source} download={fileNameOf(callId, 'wav')} aria-label="Download the audio as WAV">
          Download WAV ({formatBytes(audio.bytes)})
        </a>
        {tracks.map(({ track, name }) => (
          <DownloadLink
            key={track}
            path={`${callPath(callId)}/audio.wav?track=${track}`}
            fileName={fileNameOf(`${callId}-${track}`, 'wav')}
            name={`${name} alone`}
            label={`Download the audio of ${name} as WAV`}
            session={session}
          />
        ))}
      </p>
    </div>
  )
}

const seekSeconds = 5

/** Space plays and pauses, the arrows go back and forth, wherever the focus is on nothing that has them for itself. */
function usePlayerKeys(element: RefObject<HTMLAudioElement | null>): void {
  useEffect(() => {
    const listener = (event: KeyboardEvent) => {
      const { current: audio } = element
      if (audio === null || event.ctrlKey || event.metaKey || event.altKey) return
      if (event.target instanceof Element && event.target.matches(ownKeys)) return
      if (event.key === ' ') {
        if (audio.paused) void audio.play()
        else audio.pause()
      } else if (event.key === 'ArrowLeft') audio.currentTime -= seekSeconds
      else if (event.key === 'ArrowRight') audio.currentTime += seekSeconds
      else return
      event.preventDefault()
    }
    document.addEventListener('keydown', listener)
    return () => document.removeEventListener('keydown', listener)
  }, [element])
}

const ownKeys = 'input, textarea, select, button, a, summary, audio'
