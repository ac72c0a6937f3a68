/** One input of `ws`: a handshake, then frames, and what must come of them. */
import { hasOwnHost } from './admission.js'
import type { FuzzInput } from './input.js'
import { parseAnswers, SocketExchange } from './socket-exchange.js'
import { readFrames, readServerFrames, type StrictFrames } from './strict-frames.js'
import { readStream, type StrictRequest, valuesOf } from './strict-request.js'
import { frame } from './websocket-inputs.js'

/** What is not whole has no answer, and what servers do differently is not waited for. */
const quietMs = 40
/** The last ping of a stream that is well: its pong says that all before it was taken. */
const lastPing = Buffer.from('the last ping of this input')

type Handshake = 'must' | 'may' | 'must not'

export async function tryWebSocket(port: number, { writes }: FuzzInput): Promise<readonly string[]> {
  const [first = Buffer.alloc(0), ...rest] = writes
  const { requests } = readStream(first)
  const [request] = requests
  const wanted = handshakeOf(request)
  const exchange = await SocketExchange.open(port)
  const answers = () => parseAnswers(exchange.received, [request?.method ?? 'GET'])
  const findings: string[] = []
  await exchange.write([first])
  if (request?.certainty === 'plain' || wanted === 'must') {
    if (!(await exchange.until(() => answers().length > 0)))
      findings.push('hang: a handshake has no answer in 5 s')
  } else await exchange.quiet(quietMs, () => answers().length > 0)
  const status = answers()[0]?.status ?? null
  if (status !== null && status >= 500 && status !== 505)
    findings.push(`server error: ${status} for a handshake`)
  if (wanted === 'must' && status !== 101) findings.push(`refused: a handshake was answered ${status}`)
  if (wanted === 'must not' && status === 101) findings.push('accepted: a handshake that is none')
  if (status === 101) findings.push(...(await tryFrames(exchange, rest)))
  if (!(await exchange.end())) findings.push('hang: the connection does not end')
  return findings
}

function handshakeOf(request: StrictRequest | undefined): Handshake {
  if (request === undefined) return 'may'
  const { method, target, headers } = request
  const one = (name: string) => {
    const values = valuesOf(headers, name)
    return values.length === 1 ? (values[0] ?? '') : null
  }
  const [path] = target.split('?', 1)
  const version = one('sec-websocket-version')
  if (method !== 'GET' || path !== '/ws/supervisor' || version !== '13') return 'must not'
  const isPlain =
    one('upgrade')?.toLowerCase() === 'websocket' &&
    /(^|,)\s*upgrade\s*(,|$)/i.test(one('connection') ?? '') &&
    /^[A-Za-z0-9+/]{22}==$/.test(one('sec-websocket-key') ?? '') &&
    hasOwnHost({ headers }) &&
    headers.every(([name]) => /^(host|upgrade|connection|sec-websocket-(version|key))$/.test(name)) &&
    !target.includes('?')
  return isPlain ? 'must' : 'may'
}

async function tryFrames(exchange: SocketExchange, writes: readonly Buffer[]): Promise<readonly string[]> {
  const bytes = Buffer.concat(writes)
  const expected = readFrames(bytes)
  const read = () => {
    const { received } = exchange
    return readServerFrames(received.subarray(received.indexOf('\r\n\r\n') + 4))
  }
  await exchange.write(writes)
  const isOpen = expected.end === 'open'
  if (isOpen) await exchange.write([frame({ first: 0x89, payload: lastPing })])
  const isDone = () => {
    const { pongs, closeCode } = read()
    return closeCode !== null || (isOpen && pongs.some((pong) => pong.equals(lastPing)))
  }
  const isWaitedFor = isOpen || expected.end === 'over'
  let isLate = false
  if (isWaitedFor) isLate = !(await exchange.until(isDone))
  else await exchange.quiet(quietMs, isDone)
  return judgeFrames(expected, read(), { isLate, isClosed: exchange.isClosed })
}

function judgeFrames(
  { pings, end }: StrictFrames,
  { pongs, closeCode, isBroken }: ReturnType<typeof readServerFrames>,
  { isLate, isClosed }: { isLate: boolean; isClosed: boolean },
): readonly string[] {
  const findings: string[] = []
  if (isBroken) findings.push('frames: what came back is no frame of a server')
  if (isLate)
    findings.push(`hang: ${end === 'open' ? 'a ping has no pong' : 'the stream is not ended'} in 5 s`)
  if (end === 'either') return findings
  const isOver = closeCode !== null || isClosed
  if (end === 'open' && isOver)
    findings.push(`refused: a stream without an error was closed with ${closeCode}`)
  const expected = end === 'open' ? [...pings, lastPing] : pings
  const isPrefix = pongs.every((pong, index) => expected[index]?.equals(pong) === true)
  if (!isPrefix) findings.push('frames: a pong that answers no ping')
  if (end === 'open' && !isOver && !isLate && pongs.length !== expected.length)
    findings.push(`frames: ${pongs.length} pongs for ${expected.length} pings`)
  return findings
}
