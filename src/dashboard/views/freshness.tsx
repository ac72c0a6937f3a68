/** How old the picture is, always in sight, and loud once it is old: an old picture must never look live. */
import { formatTime } from '../format.js'
import type { Freshness } from '../model/freshness.js'

const names: Readonly<Record<Freshness['kind'], string>> = {
  connecting: 'Connecting',
  'catching-up': 'Catching up',
  live: 'Live',
  stale: 'Stale',
  offline: 'Offline',
}

export function FreshnessBadge({ freshness }: { readonly freshness: Freshness }) {
  const since =
    'since' in freshness && freshness.since !== null ? ` since ${formatTime(freshness.since)}` : ''
  return (
    <span class={`freshness freshness-${freshness.kind}`} role="status">
      <span class="freshness-dot" aria-hidden="true" />
      {names[freshness.kind]}
      <span class="freshness-since">{since}</span>
    </span>
  )
}

interface BannerProps {
  readonly freshness: Freshness
  readonly hasPicture: boolean
  retry(): void
}

export function FreshnessBanner({ freshness, hasPicture, retry }: BannerProps) {
  if (freshness.kind !== 'stale' && freshness.kind !== 'offline') return null
  const { since } = freshness
  return (
    <div class="banner" role="alert">
      <p>
        <strong>
          {freshness.kind === 'stale' ? 'The service sends nothing.' : 'The service is unreachable.'}
        </strong>{' '}
        {hasPicture && since !== null ? `This page shows the state of ${formatTime(since)}.` : 'No data yet.'}{' '}
        Reconnecting automatically.
      </p>
      {freshness.kind === 'offline' && (
        <button type="button" class="button" onClick={retry}>
          Try now
        </button>
      )}
    </div>
  )
}
