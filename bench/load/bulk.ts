/**
 * `POST /v1/packets` in a closed loop: each lane is one connection that sends its lines body by body. Used to fill and
 * to warm up, and measured itself by the scenario `bulk`.
 */
import { type CallSet, rangeLines, warmLines } from './packets.js'

const requestMsMax = 60_000
export const bulkBytesMax = 4 * 2 ** 20

export interface BulkOptions {
  readonly url: string
  /** One a lane. A call's packets stay in order only within a lane. */
  readonly lanes: readonly Iterator<string>[]
  readonly bodyBytesMax?: number
  readonly bodyLinesMax?: number
  /** No request starts after so long. */
  readonly seconds?: number
}

export interface BulkFigures {
  readonly accepted: number
  readonly requests: number
  /** Requests that were answered 503 and sent again. */
  readonly refused: number
  readonly elapsedMs: number
}

interface BulkResult {
  readonly accepted: number
  readonly duplicate: number
  readonly rejected: number
  readonly invalid: number
}

interface Body {
  readonly bytes: Buffer
  readonly lines: number
}

/** The next body, or null when there are no more lines. Lines are ASCII. */
function nextBody(lines: Iterator<string>, bytesMax: number, linesMax: number): Body | null {
  const taken: string[] = []
  let bytes = 0
  while (taken.length < linesMax) {
    const next = lines.next()
    if (next.done) break
    taken.push(next.value)
    bytes += next.value.length
    // All lines are about as long as this one.
    if (bytes + 2 * next.value.length > bytesMax) break
  }
  return taken.length === 0 ? null : { bytes: Buffer.from(taken.join(''), 'latin1'), lines: taken.length }
}

async function post(url: string, { bytes, lines }: Body): Promise<BulkResult | null> {
  const answer = await fetch(`${url}/v1/packets`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: bytes,
    signal: AbortSignal.timeout(requestMsMax),
  })
  const text = await answer.text()
  if (answer.status === 503) return null
  if (answer.status !== 202)
    throw new Error(`a bulk request was answered ${answer.status}: ${text.slice(0, 200)}`)
  const result: BulkResult = JSON.parse(text)
  if (result.accepted + result.duplicate !== lines || result.rejected + result.invalid > 0)
    throw new Error(`a bulk request of ${lines} lines was answered ${text.slice(0, 200)}`)
  return result
}

export async function sendBulk(options: BulkOptions): Promise<BulkFigures> {
  const { url, lanes, bodyBytesMax = bulkBytesMax, bodyLinesMax = Number.POSITIVE_INFINITY } = options
  const startedAt = performance.now()
  const until = startedAt + (options.seconds ?? Number.POSITIVE_INFINITY) * 1000
  const sum = { accepted: 0, requests: 0, refused: 0 }
  await Promise.all(
    lanes.map(async (lines) => {
      while (performance.now() < until) {
        const body = nextBody(lines, bodyBytesMax, bodyLinesMax)
        if (body === null) return
        let result = await post(url, body)
        while (result === null) {
          // "Unknown, send it again": some of it may be stored by now, and is then a duplicate.
          sum.refused++
          await new Promise((resolve) => setTimeout(resolve, 100))
          result = await post(url, body)
        }
        sum.requests++
        sum.accepted += result.accepted
      }
    }),
  )
  return { ...sum, elapsedMs: performance.now() - startedAt }
}

const indexes = (count: number) => Array.from({ length: count }, (_, index) => index)

/** Creates the calls of a set, so that no creation falls into what is measured. */
export function warmCalls(url: string, set: CallSet, lanes = 4): Promise<BulkFigures> {
  return sendBulk({ url, lanes: indexes(lanes).map((lane) => warmLines(set, lane, lanes)) })
}

/** Packets `from` to `through` of `calls` calls, over up to four connections. */
export function sendRange(
  url: string,
  prefix: string,
  calls: number,
  range: { readonly from: number; readonly through: number; readonly skips?: number | undefined },
): Promise<BulkFigures> {
  const lanes = Math.min(4, calls)
  return sendBulk({
    url,
    lanes: indexes(lanes).map((lane) => rangeLines(prefix, { lane, lanes, count: calls }, range)),
  })
}
