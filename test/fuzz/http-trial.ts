/** One input of `http` or `json`: sent, answered, and judged by what it is. */
import type { Account } from './account.js'
import { type Admission, openAdmission } from './admission.js'
import { type Expectation, type ExpectedLines, type ExpectedRequest, expectationOf } from './expectation.js'
import type { FuzzInput } from './input.js'
import { type Answer, parseAnswers, SocketExchange } from './socket-exchange.js'

/** What is no request by RFC 9112 need not be answered at once: uWebSockets.js waits, and closes after 10 s. */
const quietMs = 40

/** Of uWebSockets.js itself, for what it cannot read: 505 is what it calls every odd line. */
const ownRefusals: readonly number[] = [400, 431, 505]

export async function tryHttp(port: number, input: FuzzInput, account: Account): Promise<readonly string[]> {
  return (await tryRequests(port, input, account, openAdmission)).findings
}

export interface Tried {
  readonly answers: readonly Answer[]
  readonly findings: readonly string[]
}

export async function tryRequests(
  port: number,
  input: FuzzInput,
  account: Account,
  admission: Admission,
): Promise<Tried> {
  const expected = expectationOf(input, admission)
  const { requests, rest } = expected
  const methods = requests.map(({ method }) => method)
  const pending = account.begin(requests)
  const exchange = await SocketExchange.open(port)
  await exchange.write(input.writes)
  const answers = () => parseAnswers(exchange.received, methods)
  const plain = requests.findIndex(({ certainty }) => certainty === 'lenient')
  const owed = expected.isSplitInLine ? 0 : plain < 0 ? requests.length : plain
  const findings: string[] = []
  if (!(await exchange.until(() => answers().length >= owed)))
    findings.push(`hang: ${answers().length} of ${owed} answers in 5 s, and the connection is open`)
  if (owed < requests.length || rest !== 'nothing')
    await exchange.quiet(quietMs, () => answers().length > requests.length)
  if (!(await exchange.end())) findings.push('hang: the connection does not end')
  const found = answers()
  pending.end(found)
  return { answers: found, findings: [...findings, ...judgeAnswers(expected, found)] }
}

function judgeAnswers(expected: Expectation, answers: readonly Answer[]): readonly string[] {
  // It may come in place of an answer that is under way.
  const mayBeUnreadable =
    expected.isSplitInLine ||
    expected.rest !== 'nothing' ||
    expected.requests.some(({ certainty }) => certainty === 'lenient')
  const findings: string[] = []
  for (const [index, answer] of answers.entries()) {
    const request = expected.requests[index]
    const { status } = answer
    if (Number.isNaN(status)) findings.push('no answer: what came back is not HTTP')
    else if (mayBeUnreadable && ownRefusals.includes(status)) continue
    else if (status >= 500) findings.push(`server error: ${status} ${answer.body.slice(0, 200)}`)
    else if (request === undefined) {
      if (status < 400) findings.push(`accepted: ${status} for what is no request`)
    } else findings.push(...judgeAnswer(request, answer))
  }
  return findings
}

function judgeAnswer(request: ExpectedRequest, answer: Answer): readonly string[] {
  const { certainty, method, statuses, lines, fault } = request
  const { status, body } = answer
  // A refusal is always right for what the RFC lets a recipient refuse.
  if (certainty === 'lenient' && status >= 400) return []
  if (statuses !== null && !statuses.includes(status)) {
    const kind = status < 400 ? 'accepted' : 'refused'
    return [
      `${kind}: ${method} was answered ${status} instead of ${statuses.join(' or ')}: ${body.slice(0, 200)}`,
    ]
  }
  const wrong = method === 'HEAD' ? null : fault(answer)
  if (wrong !== null) return [`read: ${wrong}`]
  if (method !== 'HEAD' && saysJson.test(answer.head) && !isJson(body))
    return [`no JSON: ${status} ${body.slice(0, 200)}`]
  return lines === null || status !== 202 ? [] : judgeLines(lines, body)
}

const saysJson = /^content-type: application\/(?:problem\+)?json\b/im

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function judgeLines({ numbers, invalid }: ExpectedLines, body: string): readonly string[] {
  const result: { received: number; lines: { line: number; status: string }[] } = JSON.parse(body)
  const refused = result.lines.filter(({ status }) => status === 'invalid').map(({ line }) => line)
  if (result.received === numbers.length && refused.join() === invalid.join()) return []
  return [
    `lines: ${result.received} received, invalid ${refused.join()}, instead of ${numbers.length}, invalid ${invalid.join()}`,
  ]
}
