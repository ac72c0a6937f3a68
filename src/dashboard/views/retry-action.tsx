/** Has the analysis of a failed call made again. The page does not know what its token may: the service says it. */
import { useState } from 'preact/hooks'
import { NotAnswered, reasonOf, type Session } from '../feed/session.js'

interface RetryActionProps {
  readonly callId: string
  readonly session: Session
  /** The call has changed, or is not what the page took it for. */
  readAgain(): void
}

type Status =
  | { readonly kind: 'offered' | 'asking' | 'accepted' }
  | { readonly kind: 'refused'; readonly reason: string }

export function RetryAction({ callId, session, readAgain }: RetryActionProps) {
  const [status, setStatus] = useState<Status>({ kind: 'offered' })
  const retry = async () => {
    setStatus({ kind: 'asking' })
    try {
      await session.ask(`v1/call/retry/${encodeURIComponent(callId)}`, 'POST')
      setStatus({ kind: 'accepted' })
    } catch (error) {
      setStatus({ kind: 'refused', reason: refusalOf(error) })
      if (!(error instanceof NotAnswered && error.status === 409)) return
    }
    readAgain()
  }
  const { kind } = status
  return (
    <p class="retry">
      <button
        type="button"
        class="button"
        disabled={kind === 'asking' || kind === 'accepted'}
        onClick={() => void retry()}
      >
        Retry analysis
      </button>
      <span class="quiet" role="status">
        {kind === 'asking' && 'Sending the request…'}
        {kind === 'accepted' && 'The analysis starts again'}
      </span>
      {status.kind === 'refused' && <span role="alert">{status.reason}</span>}
    </p>
  )
}

function refusalOf(error: unknown): string {
  if (error instanceof NotAnswered && error.status === 403)
    return 'Your token allows reading only. A retry needs an administrator’s token.'
  return reasonOf(error)
}
