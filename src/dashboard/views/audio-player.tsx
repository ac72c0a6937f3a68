/** The audio of a call, to play and to keep. */
import { useEffect, useState } from 'preact/hooks'
import type { Session } from '../feed/session.js'
import { DownloadLink } from '../parts/download-link.js'

interface AudioPlayerProps {
  readonly callId: string
  readonly session: Session
}

export function AudioPlayer({ callId, session }: AudioPlayerProps) {
  const [source, setSource] = useState<string | null>(null)
  const path = `/v1/call/${encodeURIComponent(callId)}/audio.wav`
  useEffect(() => {
    let isGone = false
    let made: string | null = null
    const look = async () => {
      await session.ask(path, 'HEAD')
      // A player sends no credential, so with one the audio is fetched for it.
      if (session.hasToken) made = URL.createObjectURL(await (await session.ask(path)).blob())
      if (!isGone) setSource(made ?? path)
      else if (made !== null) URL.revokeObjectURL(made)
    }
    // No audio is no failure: the call holds nothing that can be played.
    look().catch(() => {})
    return () => {
      isGone = true
      if (made !== null) URL.revokeObjectURL(made)
    }
  }, [path, session])
  if (source === null) return null
  return (
    <>
      {/* biome-ignore lint/a11y/useMediaCaption: its transcript stands above it. */}
      <audio class="audio" controls preload="none" src={source} aria-label={`Audio of call ${callId}`} />
      <p class="downloads">
        <span class="quiet">Download</span>
        <DownloadLink
          path={path}
          fileName={`${callId}.wav`}
          name="WAV"
          label="Download the audio as WAV"
          session={session}
        />
      </p>
    </>
  )
}
