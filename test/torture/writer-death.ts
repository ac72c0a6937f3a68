/** The writer thread dies under load: nothing more is acknowledged, and the process ends (P21). */
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { judgeAndSettle, lastLines } from './disk-faults.js'
import { LoadDriver, ordinaryLoad } from './driver.js'
import { randomOf } from './random.js'
import { endMsMax, epochMs, killHard, type Stage, sleep, within } from './stage.js'
import type { Verdict } from './verdict.js'

export type Death = 'exit' | 'throw'

const exitMsMax = 2000
const answerMsMax = 1000
/** From the order to the death: the thread looks for it every 10 ms, between two commits. */
const noticeMs = 500

export async function runWriterDeaths(
  stage: Stage,
  { seed, deaths }: { seed: number; deaths: readonly Death[] },
): Promise<Verdict> {
  const dataDir = stage.folder()
  const random = randomOf(seed)
  const driver = new LoadDriver(stage.folder(), ordinaryLoad, random)
  const preload = new URL('./preload/break-writer.js', import.meta.url).href
  const findings: string[] = []
  let died = 0
  for (const death of deaths) {
    const order = join(stage.folder(), 'order')
    const wrapper = ['env', `NODE_OPTIONS=--import=${preload}`, `VSTEST_BREAK_WRITER=${order}`]
    const beganAt = epochMs()
    const service = await stage.service({ dataDir, wrapper })
    const startedMs = epochMs() - beganAt
    driver.start(service.port)
    await sleep(random.integer(200, 500))
    // Whole at once: it is read as soon as it is there.
    writeFileSync(`${order}.new`, death)
    renameSync(`${order}.new`, order)
    const orderedAt = epochMs()
    const end = await within(60_000, service.exited)
    const exitedAt = epochMs()
    if (end === null) await killHard(service)
    await driver.halt()
    if (end === null) findings.push(`${death}: the process went on without its writer`)
    else if (end.value === 0 || end.value === null) findings.push(`${death}: the exit code is ${end.value}`)
    else died++
    if (exitedAt - orderedAt > endMsMax(exitMsMax, startedMs) + noticeMs)
      findings.push(`${death}: it took ${Math.round(exitedAt - orderedAt)} ms to end`)
    if (!service.log.some(({ level }) => level === 60))
      findings.push(`${death}: no fatal line: ${lastLines(service)}`)
    const unknown = driver
      .history()
      .packets.filter(({ outcome, doneAt }) => outcome === 'unknown' && (doneAt ?? 0) > orderedAt)
    const latestMs = endMsMax(answerMsMax, startedMs) + noticeMs
    const slow = unknown.filter(
      ({ sentAt, doneAt }) => (doneAt ?? 0) - Math.max(sentAt, orderedAt) > latestMs,
    )
    if (slow.length > 0)
      findings.push(`${death}: ${slow.length} requests waited longer than ${Math.round(latestMs)} ms`)
  }
  const service = await stage.service({ dataDir })
  const found = await judgeAndSettle(service, driver)
  await killHard(service)
  driver.close()
  return { counts: found.counts, faults: died, findings: [...findings, ...found.findings] }
}
