/** Filters of a list of calls besides the state: details and words. */
import Type from 'typebox'
import { VoiceStreamError } from '../../errors.js'
import { limits } from '../../limits.js'
import type { CallView } from '../../protocol/call.js'
import { type Detail, detailNames, isDetailName, listDetails } from '../../protocol/call-details.js'
import { Direction } from '../../protocol/media.js'
import { parseSearch, type SearchTerm } from '../../protocol/search.js'
import type { QueryParameter } from '../routes.js'

export const searchParameter: QueryParameter = {
  name: 'q',
  schema: Type.String({
    maxLength: limits.searchCharactersMax,
    description: `Searches in transcripts: words, "phrases" and prefix*; all of them must occur. Case and accents do not matter. Only the first ${limits.indexedCharactersMax.toLocaleString('en')} characters of a transcript are searched.`,
  }),
}

export const detailParameters: readonly QueryParameter[] = detailNames.map((name) => ({
  name,
  schema: name === 'direction' ? Direction : Type.String(),
}))

/** Throws `schema_violation`. */
export function searchOf(text: string | undefined): readonly SearchTerm[] | null {
  return text === undefined ? null : parseSearch(text)
}

/** Throws `schema_violation`. */
export function detailsOf(search: URLSearchParams): readonly Detail[] {
  const details = [...search].flatMap(([name, value]) => (isDetailName(name) ? [{ name, value }] : []))
  if (details.length <= limits.detailFiltersMax) return details
  const message = `has ${details.length} filters, and at most ${limits.detailFiltersMax} are allowed`
  throw new VoiceStreamError('schema_violation', `the query ${message}`, {
    fields: [{ path: '/query', message }],
  })
}

export function hasDetails(view: CallView, wanted: readonly Detail[]): boolean {
  if (wanted.length === 0) return true
  const { media, direction, caller, callee, agent, queue, metadata = {} } = view
  const texts = Object.entries({ direction, caller, callee, agent, queue })
  const said = Object.fromEntries(texts.filter(([, text]) => text !== null))
  const listed = listDetails({ media, ...said, metadata })
  return wanted.every(({ name, value }) => listed.some((each) => each.name === name && each.value === value))
}
