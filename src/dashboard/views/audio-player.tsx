/** The audio of a call, to play and to keep. Nothing of it is fetched before somebody wants it: it may be hours. */

import { useEffect, useRef, useState } from 'preact/hooks'
import { type ApiPath, callPath } from '../feed/api-path.js'
import type { Session } from '../feed/session.js'
import { formatBytes } from '../format.js'
import { fileNameOf } from '../model/call-name.js'

interface AudioPlayerProps {
  readonly callId: string
  readonly session: Session
  readonly track: number
  /** Of the track, where the call has several. */
  readonly name: string | null
}

type Audio =
  | { readonly kind: 'none' }
  /** A player sends no credential, so with one the audio is fetched for it. */
  | { readonly kind: 'offered' | 'fetching' | 'failed'; readonly bytes: number }
  | { readonly kind: 'ready'; readonly bytes: number; readonly source: string }

export function AudioPlayer({ callId, session, track, name }: AudioPlayerProps) {
  const [audio, setAudio] = useState<Audio>({ kind: 'none' })
  const path: ApiPath = `${callPath(callId)}/audio.wav${name === null ? '' : `?track=${track}`}`
  const of = name === null ? '' : ` of ${name}`
  const file = name === null ? callId : `${callId}-${track}`
  useEffect(() => {
    session.ask(path, 'HEAD').then(
      ({ headers }) => {
        const bytes = Number(headers.get('content-length'))
        setAudio(session.hasToken ? { kind: 'offered', bytes } : { kind: 'ready', bytes, source: path })
      },
      // No audio is no failure: the call holds nothing that can be played.
      () => {},
    )
  }, [path, session])
  const source = audio.kind === 'ready' ? audio.source : null
  useEffect(() => () => URL.revokeObjectURL(source ?? ''), [source])
  const isGone = useRef(false)
  useEffect(
    () => () => {
      isGone.current = true
    },
    [],
  )
  if (audio.kind === 'none') return null
  if (audio.kind !== 'ready') {
    const { kind, bytes } = audio
    const load = async () => {
      setAudio({ kind: 'fetching', bytes })
      try {
        const loaded = await session.file(path)
        // Nobody would give its memory back.
        if (isGone.current) return
        setAudio({ kind: 'ready', bytes, source: URL.createObjectURL(loaded) })
      } catch {
        setAudio({ kind: 'failed', bytes })
      }
    }
    return (
      <p class="downloads">
        <button type="button" class="button" disabled={kind === 'fetching'} onClick={() => void load()}>
          Load the audio{of} ({formatBytes(bytes)})
        </button>
        <span class="quiet" role="status">
          {kind === 'fetching' && 'Loading…'}
          {kind === 'failed' && 'The audio could not be loaded'}
        </span>
      </p>
    )
  }
  return (
    <>
      {/* biome-ignore lint/a11y/useMediaCaption: its transcript stands above it. */}
      <audio
        class="audio"
        controls
        preload="none"
        src={audio.source}
        aria-label={name === null ? `Audio of call ${callId}` : `Audio of ${name}, call ${callId}`}
      />
      <p class="downloads">
        <a
          href={audio.source}
          download={fileNameOf(file, 'wav')}
          aria-label={`Download the audio${of} as WAV`}
        >
          Download WAV{of} ({formatBytes(audio.bytes)})
        </a>
      </p>
    </>
  )
}
