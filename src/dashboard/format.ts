/** Numbers, times and states as people read them; times in the viewer's zone. Pure but for the zone. */
import type { CallState } from '../protocol/call.js'

const whole = new Intl.NumberFormat('en')
const time = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })
const dayAndTime = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
})
const dateAndTime = new Intl.DateTimeFormat('en-GB', {
  dateStyle: 'medium',
  timeStyle: 'medium',
})

export const formatCount = (count: number): string => whole.format(count)

/** `0.0 %` would deny a loss that there is. */
export function formatShare(share: number): string {
  if (share === 0) return '0 %'
  const percent = share * 100
  if (percent < 0.1) return '< 0.1 %'
  return `${percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`
}

export function formatRate(perSecond: number): string {
  if (perSecond === 0) return '0'
  return perSecond >= 10 ? whole.format(Math.round(perSecond)) : perSecond.toFixed(1)
}

/** 12 KiB, 3.4 MiB. */
export function formatBytes(bytes: number): string {
  const mebibytes = bytes / 1024 ** 2
  return mebibytes < 1 ? `${Math.ceil(bytes / 1024)} KiB` : `${mebibytes.toFixed(1)} MiB`
}

/** 0.4 s, 12 s, 3:05, 1:02:45, 2 d 3 h. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, ms) / 1000
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  if (seconds < 60) return `${Math.floor(seconds)} s`
  const [minutes, hours] = [Math.floor(seconds / 60), Math.floor(seconds / 3600)]
  const two = (value: number) => String(value).padStart(2, '0')
  const rest = two(Math.floor(seconds) % 60)
  if (hours === 0) return `${minutes}:${rest}`
  if (hours < 48) return `${hours}:${two(minutes % 60)}:${rest}`
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** For what is told in passing: 4.2 s, 45 s, 12 min, 3 h, 2 d. */
export function formatAge(ms: number): string {
  if (ms < 60_000) return formatDuration(ms)
  const minutes = Math.floor(ms / 60_000)
  if (minutes < 60) return `${minutes} min`
  return minutes < 48 * 60 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 1440)} d`
}

/** The time alone on the day of `now`, otherwise with its day. */
export function formatStart(at: number, now: number): string {
  return new Date(at).toDateString() === new Date(now).toDateString()
    ? time.format(at)
    : dayAndTime.format(at)
}

export const formatTime = (at: number): string => time.format(at)
export const formatDateAndTime = (at: number): string => dateAndTime.format(at)

export const stateNames: Readonly<Record<CallState, string>> = {
  IN_PROGRESS: 'In progress',
  COMPLETED: 'Completed',
  PROCESSING_AI: 'Processing AI',
  ARCHIVED: 'Archived',
  FAILED: 'Failed',
}
