/** What the contract says of a read: which answers it may get, and what stands in one that is given. */
import { bystanders, endedBystanders, soundFile, transcriptWords } from './bystanders.js'
import { callIdOf } from './call-id.js'
import { naiveSearch } from './naive-search.js'
import type { Answer } from './socket-exchange.js'
import { type StrictRequest, valuesOf } from './strict-request.js'

export interface ExpectedRead {
  readonly statuses: readonly number[]
  /** What is wrong with an answer of one of these statuses, or null. Not asked of an answer to HEAD. */
  readonly fault: (answer: Answer) => string | null
}

const nothing = () => null
const only = (...statuses: number[]): ExpectedRead => ({ statuses, fault: nothing })
const callPath = /^\/v1\/call\/([^/#]+?)(?:\/(packets|gaps|transcript|audio\.wav))?$/s
const everyCall: readonly string[] = Object.values(bystanders)

/** Null for what is not judged: targets that could be read in two ways, and routes that are no calls. */
export function expectRead(request: StrictRequest): ExpectedRead | null {
  const { target } = request
  if (target.includes('#')) return null
  const at = target.indexOf('?')
  const path = at < 0 ? target : target.slice(0, at)
  const query = new URLSearchParams(at < 0 ? '' : target.slice(at + 1))
  if (path === '/v1/floor') return { statuses: [200], fault: floorFault }
  if (path === '/v1/calls') return expectCalls(query)
  const [, segment, part = 'view'] = callPath.exec(path) ?? []
  if (segment === undefined) return null
  // Beside them stand the paths of other methods.
  if (['stream', 'complete', 'start', 'retry'].includes(segment)) return null
  const call = callIdOf(segment)
  if (call === null) return only(400, 422)
  if (part === 'transcript') return expectTranscript(call, query)
  if (part === 'audio.wav') return expectAudio(call, request)
  const isQueried = part === 'packets' || part === 'gaps'
  if (isQueried && !isPage(query)) return only(422)
  return only(200, ...(everyCall.includes(call) ? [] : [404]))
}

const isInteger = (text: string | null, least: number, most: number) =>
  text === null || (/^\d{1,16}$/.test(text) && Number(text) >= least && Number(text) <= most)

/** Of a name that stands twice the first one counts. */
const isPage = (query: URLSearchParams) =>
  isInteger(query.get('from'), 0, 2 ** 31 - 1) && isInteger(query.get('limit'), 1, 1000)

function floorFault({ body }: Answer): string | null {
  const { totals, history }: { totals: { calls: object }; history: unknown[] } = JSON.parse(body)
  const isFloor = Object.keys(totals.calls).length === 5 && Array.isArray(history)
  return isFloor ? null : 'the floor is none'
}

// --- lists --------------------------------------------------------------------------------------------------------

const states = ['IN_PROGRESS', 'COMPLETED', 'PROCESSING_AI', 'ARCHIVED', 'FAILED']
const detailName = /^(?:direction|caller|callee|agent|queue|meta\..*)$/s

function expectCalls(query: URLSearchParams): ExpectedRead {
  const [state, cursor, text] = ['state', 'cursor', 'q'].map((name) => query.get(name))
  const details = [...query.keys()].filter((name) => detailName.test(name))
  const isKnown =
    (state == null || states.includes(state)) &&
    (cursor == null || /^[0-9a-z]{1,10}$/.test(cursor)) &&
    isInteger(query.get('limit'), 1, 200) &&
    details.length <= 8
  const search = text == null ? null : naiveSearch(text)
  if (!isKnown || search === 'invalid') return only(422)
  const fault = ({ body }: Answer): string | null => {
    const { calls }: { calls: { call_id: string; state: string }[] } = JSON.parse(body)
    const found = calls.map(({ call_id }) => call_id)
    if (calls.length > Number(query.get('limit') ?? 50)) return `${calls.length} calls on a page`
    if (state != null && calls.some((call) => call.state !== state)) return `calls that are not ${state}`
    if (search === null) return null
    const others = found.filter((call) => !endedBystanders.includes(call))
    if (others.length > 0) return `${others[0]} was found, and nobody has spoken on it`
    const isFiltered = [...query.keys()].some((name) => name !== 'q')
    if (isFiltered || search === 'unsure') return null
    const expected = search.every((fits) => transcriptWords.some(fits)) ? endedBystanders : []
    return found.toSorted().join() === expected.join() ? null : `found ${found.join()} by ${text}`
  }
  return { statuses: [200], fault }
}

// --- recordings ---------------------------------------------------------------------------------------------------

const formats: ReadonlyMap<string, RegExp> = new Map([
  ['json', /^\{"call_id":/],
  ['vtt', /^WEBVTT\n/],
  ['srt', /^1\n00:00:00,000 --> /],
  ['text', /^\[00:00:00\.000\] Channel 0: Simulated /],
])

function expectTranscript(call: string, query: URLSearchParams): ExpectedRead {
  const form = formats.get(query.get('format') ?? 'json')
  if (form === undefined) return only(422, 404)
  if (!endedBystanders.includes(call)) return only(404)
  const fault = ({ body }: Answer) => (form.test(body) ? null : `a transcript of ${body.slice(0, 100)}`)
  return { statuses: [200], fault }
}

const file = soundFile()

function expectAudio(call: string, { method, headers }: StrictRequest): ExpectedRead {
  if (call !== bystanders.sound) return everyCall.includes(call) ? only(404) : only(404, 409)
  // RFC 9110 §14.2: a range is for GET alone.
  const ranges = method === 'GET' ? valuesOf(headers, 'range') : []
  const statuses = ranges.length > 1 ? [200, 206, 416] : [statusOf(ranges[0])]
  return { statuses, fault: (answer) => audioFault(answer, ranges) }
}

/** Inclusive, and null where the file has no such bytes. What the RFC gives no meaning has none here: the whole. */
function rangeOf(text = ''): readonly [first: number, last: number] | 'whole' | null {
  const [, from = '', to = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(text) ?? []
  const end = file.length - 1
  if (from === '' && to === '') return 'whole'
  if (from === '') return Number(to) === 0 ? null : [Math.max(0, file.length - Number(to)), end]
  if (to !== '' && Number(to) < Number(from)) return 'whole'
  if (Number(from) > end) return null
  return [Number(from), to === '' ? end : Math.min(Number(to), end)]
}

function statusOf(text?: string): number {
  const range = rangeOf(text)
  return range === 'whole' ? 200 : range === null ? 416 : 206
}

function audioFault({ status, head, bytes }: Answer, ranges: readonly string[]): string | null {
  const said = /\r\ncontent-range: (.*)/i.exec(head)?.[1] ?? ''
  const whole = status === 200 && bytes.equals(file) && said === ''
  if (whole || (status === 416 && said === `bytes */${file.length}`)) return null
  const isPart = ranges.some((text) => {
    const range = rangeOf(text)
    if (range === 'whole' || range === null || status !== 206) return false
    const [first, last] = range
    return said === `bytes ${first}-${last}/${file.length}` && bytes.equals(file.subarray(first, last + 1))
  })
  return isPart
    ? null
    : `${status} with ${bytes.length} bytes, ${said || 'without a range'}, for ${ranges.join()}`
}
