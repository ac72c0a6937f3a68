/** The address of a supervisor's socket, with what it asks for. */
import type { CallState } from '../protocol/call.js'
import type { SupervisorEvent } from '../protocol/event.js'

export interface SocketAddress {
  /** The service, for example `https://calls.example.org`; its path is taken for a prefix. */
  readonly url: string
  readonly view?: 'events' | 'floor'
  /** The floor is always whole. */
  readonly calls?: readonly string[]
  readonly events?: readonly SupervisorEvent['event'][]
  readonly states?: readonly CallState[]
}

export function socketUrl(address: SocketAddress, since: string, ticket: string | null): string {
  const url = new URL(address.url)
  url.protocol = url.protocol.replace(/^http/, 'ws')
  url.pathname = `${url.pathname.replace(/\/$/, '')}/ws/supervisor`
  const { view = 'events', calls, events, states } = address
  if (view === 'floor') url.searchParams.set('view', view)
  else {
    url.searchParams.set('since', since)
    if (calls !== undefined) url.searchParams.set('call', calls.join(','))
    if (events !== undefined) url.searchParams.set('event', events.join(','))
    if (states !== undefined) url.searchParams.set('state', states.join(','))
  }
  if (ticket !== null) url.searchParams.set('ticket', ticket)
  return url.href
}
