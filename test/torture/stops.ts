/** SIGTERM: what is in flight is answered, nothing acknowledged is lost, and it takes no longer than it may (P19). */
import { once } from 'node:events'
import { connect } from 'node:net'
import { eventually, get, packet, post, type Service } from '../support/service.js'
import { judgeAndSettle, lastLines } from './disk-faults.js'
import { LoadDriver, ordinaryLoad } from './driver.js'
import { type Random, randomOf } from './random.js'
import { epochMs, killHard, type Stage, sleep, within } from './stage.js'
import { Strace, syncCalls } from './strace.js'
import { Supervisor } from './supervisor.js'
import type { Verdict } from './verdict.js'

export interface StopPlan {
  readonly seed: number
  readonly stops: number
}

export const stopMsMax = 10_000
/** An attempt is logged a little before its bytes leave. */
const onTheWireMs = 10

/** The attempt hangs for longer than any test: a stop must not wait for it. */
export const hangingAnalysis = {
  GRACE_PERIOD_MS: 20,
  AI_SIMULATED_LATENCY_MIN_MS: 60_000,
  AI_SIMULATED_LATENCY_MAX_MS: 60_000,
} as const

export async function startAnalysis(service: Service, call: string): Promise<void> {
  await post(service, `/v1/call/stream/${call}`, packet(0))
  await post(service, `/v1/call/complete/${call}`, { total_packets: 1 })
  await eventually(
    () => get(service, `/v1/call/${call}`),
    ({ body }) => (body['ai'] as { attempts: number }).attempts === 1,
  )
}

export async function runStops(stage: Stage, { seed, stops }: StopPlan): Promise<Verdict> {
  const random = randomOf(seed)
  const dataDir = stage.folder()
  const driver = new LoadDriver(stage.folder(), { ...ordinaryLoad, connections: 24 }, random)
  const findings: string[] = []
  let inFlight = 0
  for (let stop = 0; stop < stops; stop++) {
    const service = await stage.service({ dataDir, settings: hangingAnalysis })
    await startAnalysis(service, `hanging-${stop}`)
    const supervisors = [new Supervisor(stage), new Supervisor(stage)]
    for (const supervisor of supervisors) await supervisor.connect(service.port)
    const { signalAt, found } = await stopUnderLoad(service, driver, random)
    for (const supervisor of supervisors) {
      await within(1000, supervisor.closed())
      if (supervisor.closeCodes[0] !== 1001)
        found.push(`a supervisor was closed with ${supervisor.closeCodes[0]}`)
    }
    const open = driver
      .history()
      .packets.filter(({ sentAt, doneAt }) => sentAt < signalAt && (doneAt ?? 0) > signalAt)
    inFlight += open.length
    const unanswered = open.filter(
      ({ sentAt, detail }) => sentAt < signalAt - onTheWireMs && !/^\d+$/.test(detail),
    )
    if (unanswered.length > 0)
      found.push(`${unanswered.length} requests in flight were not answered: ${unanswered[0]?.detail}`)
    findings.push(...found.map((finding) => `stop ${stop}: ${finding}`))
  }
  const service = await stage.service({ dataDir, settings: hangingAnalysis })
  const found = await judgeAndSettle(service, driver, (call) => !call.startsWith('hanging-'))
  await killHard(service)
  driver.close()
  return { counts: { ...found.counts, stops }, faults: inFlight, findings: [...findings, ...found.findings] }
}

async function stopUnderLoad(
  service: Service,
  driver: LoadDriver,
  random: Random,
): Promise<{ signalAt: number; found: string[] }> {
  driver.start(service.port)
  await sleep(random.integer(200, 500))
  const signalAt = epochMs()
  service.kill('SIGTERM')
  const end = await within(stopMsMax, service.exited)
  const found: string[] = []
  if (end === null) {
    found.push(`it did not end within ${stopMsMax} ms: ${lastLines(service)}`)
    await killHard(service)
  } else if (end.value !== 0) found.push(`the exit code is ${end.value}: ${lastLines(service)}`)
  await driver.halt()
  return { signalAt, found }
}

export interface SecondSignalPlan {
  /** From the first signal to the second one. */
  readonly momentsMs: readonly number[]
}

/** A stop on a disk as slow as this takes some seconds, most of them after the drain, while the store closes. */
const slowSync = { calls: syncCalls, fault: 'delay_enter=500000' }
const packetsBefore = 5

/**
 * A second signal while the store closes: it ends in the middle of its last commits and checkpoints. That is a crash
 * like any other: the next start must take the database and find all of it.
 */
export async function runSecondSignals(stage: Stage, { momentsMs }: SecondSignalPlan): Promise<Verdict> {
  const findings: string[] = []
  let cutShort = 0
  for (const [i, momentMs] of momentsMs.entries()) {
    const dataDir = stage.folder()
    const service = await stage.service({ dataDir })
    for (let sequence = 0; sequence < packetsBefore; sequence++)
      await post(service, '/v1/call/stream/c1', packet(sequence))
    const strace = await Strace.attach(stage, service.child.pid as number, slowSync)
    service.kill('SIGTERM')
    await sleep(momentMs)
    service.kill('SIGTERM')
    const end = await within(stopMsMax, service.exited)
    if (end === null) {
      findings.push(`moment ${i}: it did not end within ${stopMsMax} ms of the second signal`)
      await killHard(service)
    } else if (end.value !== 0) cutShort++
    await strace.detach()
    findings.push(
      ...(await findingsOfNextStart(stage, dataDir)).map((finding) => `after ${momentMs} ms: ${finding}`),
    )
  }
  return { counts: { stops: momentsMs.length }, faults: cutShort, findings }
}

async function findingsOfNextStart(stage: Stage, dataDir: string): Promise<readonly string[]> {
  try {
    const next = await stage.service({ dataDir })
    const { body } = await get(next, '/v1/call/c1')
    await killHard(next)
    if (body['total_received'] === packetsBefore) return []
    return [`${body['total_received']} packets of ${packetsBefore} are left`]
  } catch (error) {
    return [`it does not start again: ${error instanceof Error ? error.message.slice(-200) : error}`]
  }
}

/** A request whose body never ends: it keeps the service from being drained. */
export async function sendHalfRequest(stage: Stage, port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  stage.after(() => socket.destroy())
  socket.on('error', () => {
    // The service cuts it off when it ends; that is expected.
  })
  await once(socket, 'connect')
  const head = ['POST /v1/call/stream/half HTTP/1.1', 'Host: localhost', 'Content-Type: application/json']
  socket.write(`${head.join('\r\n')}\r\nContent-Length: 100\r\n\r\n{"sequence":`)
}
