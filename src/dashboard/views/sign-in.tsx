import { useEffect, useRef, useState } from 'preact/hooks'
import type { Refusal } from '../feed/session.js'

const refusals: Readonly<Record<Refusal, string>> = {
  unknown: 'This token is not valid (any more).',
  role: 'This is the token of a PBX. Enter a supervisor’s token.',
}

interface SignInProps {
  /** Why the last token was not taken. */
  readonly refused: Refusal | null
  signIn(token: string, isKept: boolean): void
}

export function SignIn({ refused, signIn }: SignInProps) {
  const [token, setToken] = useState('')
  const [isKept, setKept] = useState(false)
  const field = useRef<HTMLInputElement>(null)
  useEffect(() => field.current?.focus(), [])
  return (
    <main class="sign-in">
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (token.trim() !== '') signIn(token.trim(), isKept)
        }}
      >
        <svg width="40" height="40" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
          <rect width="32" height="32" rx="9" class="brand-tile" />
          <path d="M8 14v4M13 9v14M19 12v8M24 15v2" class="brand-wave" />
        </svg>
        <h1>Sign in to VoiceStream</h1>
        <p class="quiet">
          This service requires a supervisor’s token. Ask the operator of the service for one.
        </p>
        {refused !== null && (
          <p class="sign-in-refused" role="alert">
            {refusals[refused]}
          </p>
        )}
        <label for="token">Supervisor token</label>
        <input
          id="token"
          ref={field}
          type="password"
          autocomplete="current-password"
          required
          value={token}
          aria-invalid={refused !== null}
          onInput={(event) => setToken(event.currentTarget.value)}
        />
        <label class="check">
          <input
            type="checkbox"
            checked={isKept}
            onChange={(event) => setKept(event.currentTarget.checked)}
          />
          <span>
            Keep it for this tab
            <span class="quiet">
              Otherwise a reload of the page forgets it. If kept, everybody with access to this browser can
              read it until the tab is closed.
            </span>
          </span>
        </label>
        <button type="submit" class="button button-main">
          Sign in
        </button>
      </form>
    </main>
  )
}
