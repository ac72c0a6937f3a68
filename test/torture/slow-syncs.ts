/** Every fsync takes long: no 202 may come before the fsync of what it acknowledges (P4, V3, V4). */
import type { PacketAttempt } from './attempts.js'
import { LoadDriver, ordinaryLoad } from './driver.js'
import { groupBy } from './group.js'
import { randomOf } from './random.js'
import { killHard, type Stage, sleep } from './stage.js'
import { Strace, syncCalls } from './strace.js'
import type { Verdict } from './verdict.js'

export interface SlowSyncPlan {
  readonly seed: number
  readonly delayMs: number
  readonly loadMs: number
}

/** Many copies, few calls: duplicates overtake their originals, some with other content. */
const copies = { ...ordinaryLoad, connections: 16, calls: 3, resendShare: 0.3, conflictShare: 0.1 }

export async function runSlowSyncs(stage: Stage, { seed, delayMs, loadMs }: SlowSyncPlan): Promise<Verdict> {
  const service = await stage.service({ dataDir: stage.folder() })
  const fault = { calls: syncCalls, fault: `delay_enter=${delayMs * 1000}` }
  const strace = await Strace.attach(stage, service.child.pid as number, fault)
  const driver = new LoadDriver(stage.folder(), copies, randomOf(seed))
  driver.start(service.port)
  await sleep(loadMs)
  await driver.halt()
  const faults = strace.injected().length
  await strace.detach()
  await killHard(service)

  let accepted = 0
  let overlapping = 0
  const early: PacketAttempt[] = []
  const { packets } = driver.history()
  driver.close()
  for (const attempts of groupBy(packets, ({ call, sequence }) => `${call} ${sequence}`).values()) {
    const first = attempts[0] as PacketAttempt
    for (const attempt of attempts) {
      const { outcome, sentAt, doneAt } = attempt
      if (outcome === 'accepted') accepted++
      // Sent while its original was under way.
      if (outcome === 'duplicate' && sentAt < first.sentAt + delayMs) overlapping++
      const isAcknowledged = outcome === 'accepted' || outcome === 'duplicate'
      // However often it was sent, it cannot be on disk before one whole fsync after the first time.
      if (isAcknowledged && (doneAt ?? 0) < first.sentAt + delayMs) early.push(attempt)
    }
  }
  const examples = early.slice(0, 3).map(({ call, sequence, outcome }) => `${call}/${sequence} ${outcome}`)
  return {
    counts: { accepted, overlapping },
    faults,
    findings:
      early.length === 0 ? [] : [`${early.length} answers came before their fsync: ${examples.join(', ')}`],
  }
}
