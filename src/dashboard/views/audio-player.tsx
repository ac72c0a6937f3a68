/**
 * The audio of a call, where it is audio. Whether the service has it at all is asked of its own description first: a
 * request that is bound to fail would be an error in the console of every viewer.
 */
import { useEffect, useState } from 'preact/hooks'
import type { Session } from '../feed/session.js'

interface AudioPlayerProps {
  readonly callId: string
  readonly session: Session
  readonly hasEnded: boolean
}

type Description = { readonly paths?: Readonly<Record<string, unknown>> }
let hasAudio: Promise<boolean> | null = null

function serviceHasAudio(session: Session): Promise<boolean> {
  hasAudio ??= session
    .read<Description>('/openapi.json')
    .then(({ paths }) => paths !== undefined && '/v1/call/{call_id}/audio.wav' in paths)
    .catch(() => {
      // Asked again with the next call.
      hasAudio = null
      return false
    })
  return hasAudio
}

export function AudioPlayer({ callId, session, hasEnded }: AudioPlayerProps) {
  const [source, setSource] = useState<string | null>(null)
  const path = `/v1/call/${encodeURIComponent(callId)}/audio.wav`
  useEffect(() => {
    let isGone = false
    let made: string | null = null
    const look = async () => {
      if (!hasEnded || !(await serviceHasAudio(session)) || isGone) return
      await session.ask(path, 'HEAD')
      // A player sends no credential, so with one the audio is fetched for it.
      if (session.hasToken) made = URL.createObjectURL(await (await session.ask(path)).blob())
      if (!isGone) setSource(made ?? path)
    }
    // No audio is no failure: the call was text, or holds nothing that can be played.
    look().catch(() => {})
    return () => {
      isGone = true
      if (made !== null) URL.revokeObjectURL(made)
    }
  }, [path, session, hasEnded])
  if (source === null) return null
  // biome-ignore lint/a11y/useMediaCaption: its transcript stands above it.
  return <audio class="audio" controls preload="none" src={source} aria-label={`Audio of call ${callId}`} />
}
