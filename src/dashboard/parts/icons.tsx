/** Small drawings. Every state has a shape of its own, so that colour never stands alone. */
import type { ComponentChildren } from 'preact'
import type { Sentiment } from '../../protocol/analysis.js'
import type { CallState } from '../../protocol/call.js'
import { stateNames } from '../format.js'
import type { ConcernKind, Level } from '../model/attention.js'

function Icon({ children, size = 16 }: { readonly children: ComponentChildren; readonly size?: number }) {
  return (
    <svg
      class="icon"
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      stroke-width="1.75"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      {children}
    </svg>
  )
}

const states: Readonly<Record<CallState, ComponentChildren>> = {
  IN_PROGRESS: (
    <>
      <circle cx="8" cy="8" r="6.25" />
      <circle cx="8" cy="8" r="2.75" fill="currentColor" stroke="none" />
    </>
  ),
  COMPLETED: (
    <>
      <circle cx="8" cy="8" r="6.25" />
      <path d="M8 4.75V8l2.25 1.5" />
    </>
  ),
  PROCESSING_AI: <path d="M2 8h1.5M5.25 4.5v7M8 2.5v11M10.75 5.5v5M12.5 8H14" />,
  ARCHIVED: <path d="M3 8.5 6.5 12 13 4.5" />,
  FAILED: (
    <>
      <path d="M5.5 1.75h5l3.75 3.75v5l-3.75 3.75h-5L1.75 10.5v-5z" />
      <path d="m6 6 4 4m0-4-4 4" />
    </>
  ),
}

export function StateLabel({ state }: { readonly state: CallState }) {
  return (
    <span class={`state state-${state}`}>
      <Icon>{states[state]}</Icon>
      <span>{stateNames[state]}</span>
    </span>
  )
}

const mouths: Readonly<Record<Sentiment, string>> = {
  positive: 'M5.25 9.5c.7 1 1.6 1.5 2.75 1.5s2.05-.5 2.75-1.5',
  neutral: 'M5.5 10.25h5',
  mixed: 'M5.25 10.5c.8-1 1.7-1 2.75-.25s1.95.75 2.75-.25',
  negative: 'M5.25 11c.7-1 1.6-1.5 2.75-1.5s2.05.5 2.75 1.5',
}

export function SentimentLabel({ sentiment }: { readonly sentiment: Sentiment | null }) {
  if (sentiment === null) return <span class="quiet">–</span>
  return (
    <span class={`sentiment sentiment-${sentiment}`}>
      <Icon>
        <circle cx="8" cy="8" r="6.25" />
        <path d={mouths[sentiment]} />
        <path d="M5.75 6.25v.5m4.5-.5v.5" />
      </Icon>
      <span>{sentiment}</span>
    </span>
  )
}

const concerns: Readonly<Record<ConcernKind, ComponentChildren>> = {
  silent: <path d="M2 8h12" />,
  losing: <path d="M2 12.5V9m3.5 3.5v-7m3.5 7v-2m3.5 2v-9" />,
  talk: <path d="M2.5 3h11v7.5h-6L4.5 13v-2.5h-2z" />,
  sound: <path d="M2 8h1.5M5.25 4.5v7M8 2.5v11M10.75 5.5v5M12.5 8H14" />,
  failed: states.FAILED,
  waiting: <path d="M4 1.75h8M4 14.25h8M5 2v2.5L8 8l3-3.5V2M5 14v-2.5L8 8l3 3.5V14" />,
  negative: (
    <>
      <circle cx="8" cy="8" r="6.25" />
      <path d={mouths.negative} />
      <path d="M5.75 6.25v.5m4.5-.5v.5" />
    </>
  ),
}

export const levelNames: Readonly<Record<Level, string>> = { 3: 'Urgent', 2: 'Serious', 1: 'Notice' }

export function ConcernIcon({ kind, level }: { readonly kind: ConcernKind; readonly level: Level }) {
  return (
    <span class={`concern-icon level-${level}`} title={levelNames[level]}>
      <Icon size={18}>{concerns[kind]}</Icon>
    </span>
  )
}

export const drawings = {
  check: <path d="M3 8.5 6.5 12 13 4.5" />,
  close: <path d="m3.5 3.5 9 9m0-9-9 9" />,
  link: (
    <path d="M6.5 9.5a3 3 0 0 0 4.25 0l2-2A3 3 0 0 0 8.5 3.25l-.75.75M9.5 6.5a3 3 0 0 0-4.25 0l-2 2a3 3 0 0 0 4.25 4.25l.75-.75" />
  ),
  copy: (
    <>
      <rect x="5.5" y="5.5" width="8" height="8" rx="1.5" />
      <path d="M3 10.5A1.5 1.5 0 0 1 2.5 9V4A1.5 1.5 0 0 1 4 2.5h5a1.5 1.5 0 0 1 1.5.5" />
    </>
  ),
  sun: (
    <>
      <circle cx="8" cy="8" r="2.75" />
      <path d="M8 1.5v1.25m0 10.5v1.25M1.5 8h1.25m10.5 0h1.25M3.4 3.4l.9.9m7.4 7.4.9.9m0-9.2-.9.9m-7.4 7.4-.9.9" />
    </>
  ),
  moon: <path d="M13.5 9.5A6 6 0 0 1 6.5 2.5a5.75 5.75 0 1 0 7 7z" />,
  auto: (
    <>
      <circle cx="8" cy="8" r="5.75" />
      <path d="M8 2.25a5.75 5.75 0 0 1 0 11.5z" fill="currentColor" stroke="none" />
    </>
  ),
  wave: <path d="M2 8h1.5M5.25 4.5v7M8 2.5v11M10.75 5.5v5M12.5 8H14" />,
  help: (
    <>
      <circle cx="8" cy="8" r="6.25" />
      <path d="M6.25 6.25a1.8 1.8 0 1 1 2.6 1.6c-.6.3-.85.6-.85 1.15M8 11.25v.1" />
    </>
  ),
  back: <path d="M9.5 3 4.5 8l5 5" />,
  search: (
    <>
      <circle cx="7" cy="7" r="4.25" />
      <path d="m10.25 10.25 3.25 3.25" />
    </>
  ),
  partial: <path d="M8 1.75 14.5 13.5h-13zM8 6.25v3.25M8 11.5v.1" />,
  leave: <path d="M6.5 2.5h-3v11h3M10 5l3 3-3 3m2.5-3H6.5" />,
} as const

export function Drawing({ of, size }: { readonly of: keyof typeof drawings; readonly size?: number }) {
  return <Icon {...(size === undefined ? {} : { size })}>{drawings[of]}</Icon>
}
