/** Which calls that need attention a viewer wants to see. Pure. */
import type { Acknowledgements } from './acknowledgements.js'
import type { ConcernKind, Need } from './attention.js'
import { type Lens, needsThrough } from './lens.js'
import { matcherOfSearch, parseTokens } from './search-tokens.js'

export interface NeedsQuery {
  /** Of the concerns of a lens, or of all (null). */
  readonly lens: Lens | null
  readonly show: 'all' | 'acknowledged' | ConcernKind
  readonly search: string
}

export const firstNeedsQuery: NeedsQuery = { lens: null, show: 'all', search: '' }

export function searchedNeeds(all: readonly Need[], search: string): readonly Need[] {
  if (search.trim() === '') return all
  const matches = matcherOfSearch(parseTokens(search))
  return all.filter(({ call }) => matches(call.row))
}

/** What is acknowledged is shown only to those who ask for it. */
export function shownNeeds(
  all: readonly Need[],
  acknowledgements: Acknowledgements,
  { lens, show, search }: NeedsQuery,
): readonly Need[] {
  const seen = needsThrough(searchedNeeds(all, search), lens)
  if (show === 'acknowledged') return seen.filter((need) => acknowledgements.covers(need))
  const open = seen.filter((need) => !acknowledgements.covers(need))
  return show === 'all' ? open : open.filter(({ concerns }) => concerns.some(({ kind }) => kind === show))
}
