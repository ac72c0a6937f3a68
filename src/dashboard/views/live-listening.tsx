/** Listening to a call that goes on. */
import { useEffect, useMemo, useReducer, useState } from 'preact/hooks'
import { LiveSound } from '../feed/live-sound.js'
import type { Session } from '../feed/session.js'

interface LiveListeningProps {
  readonly callId: string
  readonly session: Session
  /** Who else listens, where that is shown. */
  readonly listeners: readonly string[]
}

const levelMs = 100

export function LiveListening({ callId, session, listeners }: LiveListeningProps) {
  const [, redraw] = useReducer((count: number) => count + 1, 0)
  const sound = useMemo(() => new LiveSound(session, callId, () => redraw(0)), [session, callId])
  useEffect(() => () => sound.stop(), [sound])
  const { state } = sound
  const isOn = state.kind === 'playing' || state.kind === 'connecting'
  return (
    <div class="live-sound">
      {isOn ? (
        <>
          <button type="button" class="button" onClick={() => sound.stop()}>
            Stop listening
          </button>
          {state.kind === 'playing' ? <LevelMeter sound={sound} /> : <span class="quiet">Connecting…</span>}
          {state.kind === 'playing' && state.channels > 1 && <Balance sound={sound} />}
        </>
      ) : (
        <>
          <button type="button" class="button" onClick={() => void sound.start(2)}>
            Listen
          </button>
          <button type="button" class="button" onClick={() => void sound.start(10)}>
            From 10 s ago
          </button>
          <span class="quiet" role="status">
            {state.kind === 'failed' && state.reason}
            {state.kind === 'over' && 'The call is over.'}
          </span>
        </>
      )}
      {listeners.length > 0 && (
        <span class="quiet">Heard by {listeners.map((name) => name || 'somebody').join(', ')}</span>
      )}
    </div>
  )
}

function LevelMeter({ sound }: { readonly sound: LiveSound }) {
  const [level, setLevel] = useState(0)
  useEffect(() => {
    const timer = setInterval(() => setLevel(sound.level()), levelMs)
    return () => clearInterval(timer)
  }, [sound])
  // Loudness is heard by its logarithm: 60 dB fill the meter.
  const share = level === 0 ? 0 : Math.max(0, 1 + Math.log10(level) / 3)
  return <meter class="level" min={0} max={1} value={share} aria-label="Level of what is heard" />
}

function Balance({ sound }: { readonly sound: LiveSound }) {
  return (
    <label class="balance">
      <span class="quiet">Voices</span>
      <input
        type="range"
        min={-1}
        max={1}
        step={0.1}
        defaultValue="0"
        aria-label="Balance of the voices: left the first one, right the other"
        onInput={({ currentTarget }) => sound.balance(Number(currentTarget.value))}
      />
    </label>
  )
}
