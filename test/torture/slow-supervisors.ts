/**
 * A supervisor that stops reading for a moment while events pour in (P10): afterwards it has every one of them, or its
 * socket was closed and says why; never an open socket with a hole in what it was told. Who comes back is judged here
 * alone; what it costs the others that one never does is `stalled-supervisors`.
 */
import { findingsOfPositions } from './event-kills.js'
import { Connection } from './requests.js'
import { epochMs, killHard, type Stage, sleep } from './stage.js'
import { Supervisor } from './supervisor.js'
import type { Verdict } from './verdict.js'

export interface SlowSupervisorPlan {
  /** How long the supervisor of each round does not read. */
  readonly pausesMs: readonly number[]
}

/** Its events list a hundred missing numbers of four digits: 0.8 KB each. */
const call = 'w'.repeat(128)
const firstWordy = 2000
const packetsPerRequest = 5000
/** More than the kernel and the HTTP layer take for a socket, by far. */
const requestsPerRound = 5
const catchUpMsMax = 10_000
const tooSlow = 4008

export async function runSlowSupervisors(stage: Stage, { pausesMs }: SlowSupervisorPlan): Promise<Verdict> {
  const service = await stage.service({ dataDir: stage.folder() })
  const connection = new Connection(service.port)
  await sendBulk(connection, 0, 1000)
  const findings: string[] = []
  let next = firstWordy
  let events = 0
  let behind = 0
  let closed = 0
  for (const [round, pauseMs] of pausesMs.entries()) {
    const supervisor = new Supervisor(stage)
    await supervisor.connect(service.port)
    supervisor.pause()
    const resumeAt = epochMs() + pauseMs
    for (let request = 0; request < requestsPerRound; request++, next += packetsPerRequest)
      await sendBulk(connection, next, packetsPerRequest)
    await sleep(Math.max(0, resumeAt - epochMs()))
    const sent = requestsPerRound * packetsPerRequest
    if (supervisor.events.length < sent) behind++
    supervisor.resume()
    const until = epochMs() + catchUpMsMax
    while (supervisor.events.length < sent && supervisor.closeCodes.length === 0 && epochMs() < until)
      await sleep(20)

    events += supervisor.events.length
    const [code] = supervisor.closeCodes
    const found = [...findingsOfPositions(supervisor.events)]
    if (code === undefined && supervisor.events.length < sent)
      found.push(`${supervisor.events.length} of ${sent} events came, and the socket is open`)
    if (code === tooSlow) closed++
    // A reader that does not read may not see its close frame either; then the connection just ends.
    else if (code !== undefined && code !== 1006) found.push(`the socket was closed with ${code}`)
    findings.push(...found.map((finding) => `round ${round}: ${finding}`))
  }
  connection.close()
  await killHard(service)
  return { counts: { events, rounds: pausesMs.length }, notes: { closed }, faults: behind, findings }
}

async function sendBulk(connection: Connection, first: number, count: number): Promise<void> {
  const lines = Array.from({ length: count }, (_, i) =>
    JSON.stringify({ call_id: call, sequence: first + i, data: 'x', timestamp: 1_700_000_000 }),
  )
  const answer = await connection.post('/v1/packets', lines.join('\n'), 'application/x-ndjson')
  if (answer.kind !== 'answered' || answer.status !== 202)
    throw new Error(`a bulk request was answered ${JSON.stringify(answer).slice(0, 200)}`)
}
