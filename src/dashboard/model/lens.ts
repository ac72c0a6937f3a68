/** What a viewer is responsible for: the people on the calls, or how their packets arrive. Pure. */
import { type Concern, type ConcernKind, concernKinds, type Need, sortNeeds } from './attention.js'

export const lenses = ['conversations', 'transport'] as const
export type Lens = (typeof lenses)[number]

export const lensNames: Readonly<Record<Lens, string>> = {
  conversations: 'Conversations',
  transport: 'Transport',
}

const lensOf: Readonly<Record<ConcernKind, Lens>> = {
  silent: 'transport',
  losing: 'transport',
  talk: 'conversations',
  sound: 'transport',
  failed: 'transport',
  waiting: 'transport',
  negative: 'conversations',
}

export function concernKindsThrough(lens: Lens | null): readonly ConcernKind[] {
  return lens === null ? concernKinds : concernKinds.filter((kind) => lensOf[kind] === lens)
}

/** The needs with the concerns of the lens alone, in the order of these. Null is every concern. */
export function needsThrough(needs: readonly Need[], lens: Lens | null): readonly Need[] {
  if (lens === null) return needs
  const seen = needs.flatMap(({ call, concerns }): Need[] => {
    const [worst, ...others] = concerns.filter((concern: Concern) => lensOf[concern.kind] === lens)
    return worst === undefined ? [] : [{ call, concerns: [worst, ...others] }]
  })
  return sortNeeds(seen)
}
