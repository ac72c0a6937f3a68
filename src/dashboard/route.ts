/** Where the viewer is: the part of the address behind `#`, so that every place can be linked to. */
export type Place = 'needs' | 'calls' | 'floor'

export interface Route {
  readonly place: Place
  /** The call that is open beside it, or on its own where there is no room for both. */
  readonly callId: string | null
}

/** A call opens beside the place where the viewer was. */
export function routeOf(hash: string, before: Place): Route {
  const path = hash.replace(/^#\/?/, '')
  if (path.startsWith('call/')) return { place: before, callId: decoded(path.slice('call/'.length)) }
  if (path === 'calls' || path === 'floor') return { place: path, callId: null }
  return { place: 'needs', callId: null }
}

export const placeHash = (place: Place): string => (place === 'needs' ? '#/' : `#/${place}`)
export const callHash = (callId: string): string => `#/call/${encodeURIComponent(callId)}`

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // A broken escape is no call id of ours either; it is shown as it is, as an unknown call.
    return text
  }
}
