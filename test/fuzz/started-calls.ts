/**
 * What the view of a call must say of it, from the starts that were sent and their answers alone. Of starts that were
 * under way together any may have been the last; one that was sent after the answer to another came after it.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Outcome, PacketAttempt } from '../torture/attempts.js'
import { mediaNames, type NaiveStart, startTexts } from './naive-start.js'

export interface StartAttempt {
  readonly call: string
  readonly said: NaiveStart
  readonly sentAt: number
  /** Null where there was no answer. */
  readonly doneAt: number | null
  readonly outcome: Outcome
  /** It was answered 409: whether for what is no request is found where answers are judged. */
  readonly isConflict: boolean
}

type View = Readonly<Record<string, unknown>> & { readonly media: Readonly<Record<string, unknown>> }
type Packets = readonly Pick<PacketAttempt, 'sentAt' | 'doneAt' | 'outcome'>[]

const unsaid: NaiveStart = { media: {}, texts: {}, metadata: {} }
const defaultMedia: Readonly<Record<string, unknown>> = { encoding: 'text', sample_rate: 8000, channels: 1 }

/** What is wrong with the view of one call, null when the service knows of none. */
export function judgeStarts(
  starts: readonly StartAttempt[],
  packets: Packets,
  view: View | null,
): readonly string[] {
  const made = starts.filter(({ outcome }) => outcome !== 'refused')
  const accepted = starts.filter(({ outcome }) => outcome === 'accepted')
  if (view === null) return accepted.length > 0 ? ['an accepted start is lost'] : []
  const carried = packets.filter(({ outcome }) => outcome !== 'refused')
  if (made.length + carried.length === 0) return ['nobody has made this call']

  const findings: string[] = []
  const last = made.filter(({ doneAt }) => !accepted.some(({ sentAt }) => sentAt > (doneAt ?? Infinity)))
  const possible = [...last.map(({ said }) => said), ...(accepted.length === 0 ? [unsaid] : [])]
  if (!possible.some((said) => isShown(said, view)))
    findings.push(`the last start is not shown: ${JSON.stringify(view).slice(0, 300)}`)
  for (const name of mediaNames) {
    const known = [defaultMedia, ...made.map(({ said }) => said.media)]
    if (!known.some((media) => media[name] === view.media[name]))
      findings.push(`nobody has said the ${name} ${view.media[name]}`)
  }
  const storedAt = Math.min(
    ...carried.filter(({ outcome }) => outcome !== 'unknown').map(({ doneAt }) => doneAt ?? Infinity),
  )
  for (const { said, sentAt, doneAt, outcome, isConflict } of starts) {
    const isOther = !isWithin(said.media, view.media)
    if (outcome === 'accepted' && sentAt > storedAt && isOther)
      findings.push('other media were taken for packets that are stored')
    const mayHavePackets = carried.some((packet) => packet.sentAt < (doneAt ?? Infinity))
    if (isConflict && !(isOther && mayHavePackets)) findings.push('a start was refused for nothing')
  }
  return findings
}

function isShown({ media, texts, metadata }: NaiveStart, view: View): boolean {
  return (
    isWithin(media, view.media) &&
    startTexts.every((name) => (texts[name] ?? null) === view[name]) &&
    isDeepStrictEqual({ ...metadata }, view['metadata'])
  )
}

const isWithin = (part: Readonly<Record<string, unknown>>, whole: Readonly<Record<string, unknown>>) =>
  Object.entries(part).every(([name, value]) => whole[name] === value)
