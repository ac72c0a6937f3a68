import { useState } from 'preact/hooks'

interface SignInProps {
  readonly isRefused: boolean
  signIn(token: string, isKept: boolean): void
}

export function SignIn({ isRefused, signIn }: SignInProps) {
  const [token, setToken] = useState('')
  const [isKept, setKept] = useState(false)
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
          This service shows calls to those who have a supervisor’s token. Ask whoever runs it for one.
        </p>
        {isRefused && (
          <p class="sign-in-refused" role="alert">
            The service does not take this token, or takes it no longer. Enter one that is valid now.
          </p>
        )}
        <label for="token">Supervisor token</label>
        <input
          id="token"
          type="password"
          autocomplete="current-password"
          required
          value={token}
          aria-invalid={isRefused}
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
              Otherwise it is forgotten when the page is reloaded. Kept, it can be read by whoever gets at
              this browser until the tab is closed.
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
