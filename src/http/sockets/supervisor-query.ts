/** Parameters of the supervisor socket's address. Unknown ones are refused, because a typo in a filter would hide calls. */
import Type from 'typebox'
import type { VoiceStreamError } from '../../errors.js'
import { type EventFilter, everything } from '../../feed/event-filter.js'
import { limits } from '../../limits.js'
import { isCallId } from '../../protocol/call-id.js'
import { callStates } from '../../protocol/call-states.js'
import { eventNames } from '../../protocol/event.js'
import { invalidParameter } from '../../protocol/query.js'
import type { QueryParameter } from '../routes.js'

export type SupervisorQuery =
  | { readonly view: 'events'; readonly since: string | null; readonly filter: EventFilter }
  | { readonly view: 'floor' }

export const supervisorParameters: readonly QueryParameter[] = [
  {
    name: 'since',
    schema: Type.String({
      description: 'Resume after this position. Empty: from now. `snapshot`: the current calls first.',
    }),
  },
  {
    name: 'call',
    schema: Type.String({
      description: `Only these calls, separated by commas, at most ${limits.supervisorFilterCallsMax}.`,
    }),
  },
  {
    name: 'event',
    schema: Type.String({ description: `Only these events, separated by commas: ${eventNames.join(', ')}.` }),
  },
  {
    name: 'state',
    schema: Type.String({ description: 'Only calls in these states, separated by commas.' }),
  },
  { name: 'view', schema: Type.Union([Type.Literal('events'), Type.Literal('floor')]) },
]

/** `ticket` is the handshake's. */
const names = [...supervisorParameters.map(({ name }) => name), 'ticket']

/** Throws `invalid_query`. A plus sign is itself, not a space: call ids have the one and nothing here has the other. */
export function supervisorQuery(text: string): SupervisorQuery {
  const search = new URLSearchParams(text.replaceAll('+', '%2B'))
  for (const name of search.keys()) {
    if (!names.includes(name)) throw invalid(name, `is not a parameter; there are ${names.join(', ')}`)
    if (search.getAll(name).length > 1) throw invalid(name, 'is given twice')
  }
  const view = search.get('view') ?? 'events'
  if (view === 'floor') {
    const surplus = [...search.keys()].find((name) => name !== 'view' && name !== 'ticket')
    if (surplus !== undefined) throw invalid(surplus, 'cannot be combined with view=floor')
    return { view }
  }
  if (view !== 'events') throw invalid('view', 'must be events or floor')
  return { view, since: search.get('since'), filter: filterOf(search) }
}

function filterOf(search: URLSearchParams): EventFilter {
  const calls = listOf(search, 'call', isCallId, 'a call id')
  if ((calls?.size ?? 0) > limits.supervisorFilterCallsMax)
    throw invalid('call', `names more than ${limits.supervisorFilterCallsMax} calls`)
  const events = listOf(search, 'event', isOneOf(eventNames), `one of ${eventNames.join(', ')}`)
  const states = listOf(search, 'state', isOneOf(callStates), `one of ${callStates.join(', ')}`)
  return calls === null && events === null && states === null ? everything : { calls, events, states }
}

function isOneOf<T extends string>(known: readonly T[]): (text: string) => text is T {
  return (text): text is T => (known as readonly string[]).includes(text)
}

function listOf<T extends string>(
  search: URLSearchParams,
  name: string,
  is: (text: string) => text is T,
  what: string,
): ReadonlySet<T> | null {
  const text = search.get(name)
  if (text === null) return null
  const found = new Set<T>()
  for (const item of text.split(',')) {
    if (!is(item)) throw invalid(name, `has something that is not ${what}`)
    found.add(item)
  }
  return found
}

function invalid(name: string, message: string): VoiceStreamError {
  return invalidParameter(name, message, 'invalid_query')
}
