/** Who may come in at all, read from the bytes alone: by its host where there are no tokens, else by its token and origin. */
import { type StrictRequest, valuesOf } from './strict-request.js'

/** What a request is refused with whatever else it says, or null. */
export type Admission = (request: StrictRequest) => readonly number[] | null

/** All of one length: a comparison that stops early is then met with every one of them. */
export const fuzzTokens = {
  ingest: 'fuzz-ingest-000000000001',
  supervisor: 'fuzz-supervisor-00000001',
  admin: 'fuzz-admin-0000000000001',
} as const
export const fuzzOrigin = 'https://floor.example.com'

const ownHost = /^(localhost|\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:]+\])(:\d{1,5})?$/i

export function hasOwnHost({ headers }: Pick<StrictRequest, 'headers'>): boolean {
  const hosts = valuesOf(headers, 'host')
  return hosts.length === 1 && ownHost.test(hosts[0] ?? '')
}

const refusals = [400, 401, 403, 404, 405, 413, 415, 422, 426, 429]

export const openAdmission: Admission = (request) => {
  if (hasOwnHost(request)) return null
  if (request.method === 'POST') return [403]
  return request.target.startsWith('/v1/') ? refusals : null
}

/** The service under test lets everybody read its metrics. */
const publicPath = /^\/($|docs$|docs\/|openapi\.json$|health\/live$|health\/ready$|metrics$)/

type Role = keyof typeof fuzzTokens

function roleOf(headers: StrictRequest['headers']): Role | null {
  const [value = '', ...others] = valuesOf(headers, 'authorization')
  const [, token] = others.length > 0 ? [] : (/^bearer +(.*)$/i.exec(value) ?? [])
  const found = Object.entries(fuzzTokens).find(([, known]) => known === token)
  return found === undefined ? null : (found[0] as Role)
}

export function mayRead({ headers }: StrictRequest): boolean {
  const role = roleOf(headers)
  return role === 'supervisor' || role === 'admin'
}

function hasRoleFor(request: StrictRequest): boolean {
  const { method, target, headers } = request
  const [path = ''] = target.split('?', 1)
  if (method === 'DELETE' || path.startsWith('/v1/call/retry/')) return roleOf(headers) === 'admin'
  if (method === 'POST' && path !== '/v1/supervisor/ticket') return roleOf(headers) === 'ingest'
  return mayRead(request)
}

/** Of several origins it takes none; its own is that of its host. */
function isForeign({ headers }: StrictRequest): boolean {
  const origins = valuesOf(headers, 'origin')
  const [host = ''] = valuesOf(headers, 'host')
  return (
    origins.length > 0 && origins.join() !== fuzzOrigin && origins.join() !== `http://${host.toLowerCase()}`
  )
}

/** `ticket`: one that is good now, or null. */
export function guardedAdmission(ticket: string | null): Admission {
  return (request) => {
    const { method, target, headers } = request
    const [path = '', query = ''] = target.split('?', 2)
    if (method === 'OPTIONS') return null
    const isSocket = method === 'GET' && path === '/ws/supervisor'
    const isForbiddenPage = isForeign(request) && (isSocket || !['GET', 'HEAD'].includes(method))
    if (isForbiddenPage) return refusals
    if (isSocket && ticket !== null && query.includes(ticket))
      // Without an origin a ticket is nobody's; beside a header it does not count.
      return valuesOf(headers, 'origin').length === 1 && valuesOf(headers, 'authorization').length === 0
        ? null
        : hasRoleFor(request)
          ? null
          : refusals
    if ((method === 'GET' || method === 'HEAD') && publicPath.test(path)) return null
    return hasRoleFor(request) ? null : refusals
  }
}
