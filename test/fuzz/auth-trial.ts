/** One input of `auth`, against the service that has tokens: its tickets are made, and it is judged by who it says to be. */
import type { Account } from './account.js'
import { fuzzOrigin, fuzzTokens, guardedAdmission, mayRead } from './admission.js'
import { ticketForms } from './auth-inputs.js'
import { tryRequests } from './http-trial.js'
import type { FuzzInput } from './input.js'
import { parseAnswers, SocketExchange } from './socket-exchange.js'
import { readStream, valuesOf } from './strict-request.js'
import { handshakeLines } from './websocket-inputs.js'

export async function tryAuth(port: number, input: FuzzInput, account: Account): Promise<readonly string[]> {
  const { ticket, input: tried } = await withTickets(port, input)
  const findings: string[] = []
  const { answers, findings: judged } = await tryRequests(port, tried, account, guardedAdmission(ticket))
  findings.push(...judged)
  const [request] = readStream(Buffer.concat(tried.writes)).requests
  const status = answers[0]?.status
  if (request === undefined) return findings
  const { target, headers } = request
  const isPlainRead =
    request.certainty === 'plain' && request.method === 'GET' && target === '/v1/calls?limit=1'
  if (isPlainRead && mayRead(request) && status !== 200)
    findings.push(`refused: a known reader got ${status}`)
  const lines = new Set(handshakeLines.map((line) => line.split(':', 1)[0]?.toLowerCase() ?? ''))
  const isOwnPage = valuesOf(headers, 'origin').join() === fuzzOrigin
  const isBare = headers.every(([name]) => lines.has(name) || name === 'origin') && headers.length === 6
  const isGood = ticket !== null && target === `/ws/supervisor?ticket=${ticket}`
  if (isGood && isOwnPage && isBare && status !== 101) findings.push(`refused: a good ticket got ${status}`)
  return findings
}

interface Ticketed {
  /** One that is good and stands in the input. */
  readonly ticket: string | null
  readonly input: FuzzInput
}

async function withTickets(port: number, input: FuzzInput): Promise<Ticketed> {
  const text = Buffer.concat(input.writes).toString('latin1')
  if (!Object.values(ticketForms).some((form) => text.includes(form))) return { ticket: null, input }
  const [good, used] = [await issue(port), await issue(port)]
  await open(port, used)
  const last = good.endsWith('A') ? 'B' : 'A'
  const turned = [...good].map((letter) =>
    letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase(),
  )
  const made = text
    .replaceAll(ticketForms.good, good)
    .replaceAll(ticketForms.used, used)
    .replaceAll(ticketForms.otherEnd, `${good.slice(0, -1)}${last}`)
    .replaceAll(ticketForms.otherCase, turned.join(''))
  return { ticket: good, input: { ...input, writes: [Buffer.from(made, 'latin1')] } }
}

async function issue(port: number): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${port}/v1/supervisor/ticket`, {
    method: 'POST',
    headers: { authorization: `Bearer ${fuzzTokens.supervisor}` },
  })
  if (answer.status !== 200) throw new Error(`a known supervisor got ${answer.status} instead of a ticket`)
  return ((await answer.json()) as { ticket: string }).ticket
}

async function open(port: number, ticket: string): Promise<void> {
  const exchange = await SocketExchange.open(port)
  const head = [`GET /ws/supervisor?ticket=${ticket} HTTP/1.1`, ...handshakeLines, `Origin: ${fuzzOrigin}`]
  await exchange.write([Buffer.from(`${head.join('\r\n')}\r\n\r\n`)])
  const answers = () => parseAnswers(exchange.received, ['GET'])
  await exchange.until(() => answers().length > 0)
  await exchange.end()
  if (answers()[0]?.status !== 101) throw new Error(`a good ticket got ${answers()[0]?.status}`)
}
