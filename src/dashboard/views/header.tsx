import { useReducer } from 'preact/hooks'
import { formatCount } from '../format.js'
import type { Freshness } from '../model/freshness.js'
import { IconButton } from '../parts/icon-button.js'
import { chooseNextTheme, currentChoice } from '../parts/theme.js'
import { type Place, placeHash } from '../route.js'
import { FreshnessBadge } from './freshness.js'

interface HeaderProps {
  readonly place: Place
  readonly freshness: Freshness
  readonly needCount: number
  readonly urgentCount: number
  readonly callCount: number
  showHelp(): void
  readonly signOut: (() => void) | null
}

const themeNames = { auto: 'as the system', light: 'light', dark: 'dark' } as const
const themeDrawings = { auto: 'auto', light: 'sun', dark: 'moon' } as const

export function Header({
  place,
  freshness,
  needCount,
  urgentCount,
  callCount,
  showHelp,
  signOut,
}: HeaderProps) {
  const [, redraw] = useReducer((count: number) => count + 1, 0)
  const theme = currentChoice()
  const changeTheme = () => {
    chooseNextTheme()
    redraw(0)
  }
  return (
    <header class="header">
      <button type="button" class="skip" onClick={skipToList}>
        Skip to the list
      </button>
      <a class="brand" href="#/" aria-label="VoiceStream, needs attention">
        <svg width="28" height="28" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
          <rect width="32" height="32" rx="9" class="brand-tile" />
          <path d="M8 14v4M13 9v14M19 12v8M24 15v2" class="brand-wave" />
        </svg>
        <span>VoiceStream</span>
      </a>
      <nav class="tabs" aria-label="Views">
        <Tab to="needs" place={place} count={needCount} isUrgent={urgentCount > 0}>
          Attention
        </Tab>
        <Tab to="calls" place={place} count={callCount} isUrgent={false}>
          Calls
        </Tab>
        <Tab to="floor" place={place} count={null} isUrgent={false}>
          Floor
        </Tab>
      </nav>
      <div class="header-end">
        <FreshnessBadge freshness={freshness} />
        <IconButton
          drawing={themeDrawings[theme]}
          label={`Colours: ${themeNames[theme]}. Change`}
          title={`Colours: ${themeNames[theme]} (t)`}
          onClick={changeTheme}
        />
        <IconButton drawing="help" label="Keys and words" title="Keys and words (?)" onClick={showHelp} />
        {signOut !== null && <IconButton drawing="leave" label="Sign out" onClick={signOut} />}
      </div>
    </header>
  )
}

function skipToList(): void {
  document.querySelector<HTMLElement>('.rows')?.focus()
}

interface TabProps {
  readonly to: Place
  readonly place: Place
  readonly count: number | null
  readonly isUrgent: boolean
  readonly children: string
}

function Tab({ to, place, count, isUrgent, children }: TabProps) {
  return (
    <a class="tab" href={placeHash(to)} aria-current={to === place ? 'page' : undefined}>
      {children}
      {count !== null && count > 0 && (
        <span class={isUrgent ? 'count count-urgent' : 'count'}>{formatCount(count)}</span>
      )}
    </a>
  )
}
