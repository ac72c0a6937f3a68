/** Where the viewer is: the part of the address behind `#`, so that every place can be linked to, with the view of its list. */
export type Place = 'needs' | 'calls' | 'floor'

export interface Route {
  readonly place: Place
  /** The call that is open beside it, or on its own where there is no room for both. */
  readonly callId: string | null
  /** What the address says of the list; null where it says nothing, and the list stays as it is. */
  readonly params: URLSearchParams | null
}

/** A call opens beside the place that its address names, else where the viewer was. */
export function routeOf(hash: string, before: Place): Route {
  const [path = '', query = ''] = splitOnce(hash.replace(/^#\/?/, ''))
  const given = new URLSearchParams(query)
  const at = given.get('at')
  given.delete('at')
  const params = given.size === 0 ? null : given
  if (path.startsWith('call/'))
    return { place: isPlace(at) ? at : before, callId: decoded(path.slice('call/'.length)), params }
  return { place: path === 'calls' || path === 'floor' ? path : 'needs', callId: null, params }
}

const isPlace = (text: string | null): text is Place =>
  text === 'needs' || text === 'calls' || text === 'floor'

function splitOnce(text: string): readonly string[] {
  const mark = text.indexOf('?')
  return mark < 0 ? [text] : [text.slice(0, mark), text.slice(mark + 1)]
}

const placeNames: Readonly<Record<Place, string>> = { needs: 'Attention', calls: 'Calls', floor: 'Floor' }

/** With the number of calls that need somebody in front. */
export const titleOf = (place: Place, needs: number): string =>
  `${needs > 0 ? `(${needs}) ` : ''}${placeNames[place]} · VoiceStream`

export const placeHash = (place: Place): string => (place === 'needs' ? '#/' : `#/${place}`)
export const callHash = (callId: string): string => `#/call/${encodeURIComponent(callId)}`

/** The address of all that is in sight. */
export function viewHash({ place, callId }: Omit<Route, 'params'>, params: URLSearchParams): string {
  const query = new URLSearchParams(callId === null || place === 'needs' ? {} : { at: place })
  for (const [name, value] of params) query.append(name, value)
  const text = query.toString()
  return `${callId === null ? placeHash(place) : callHash(callId)}${text === '' ? '' : `?${text}`}`
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // A broken escape is no call id of ours either; it is shown as it is, as an unknown call.
    return text
  }
}
