/** What takes a while to come about: a log that is checkpointed, calls that leave memory. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { judgeAndSettle } from './disk-faults.js'
import { LoadDriver, ordinaryLoad } from './driver.js'
import { randomOf } from './random.js'
import { Connection } from './requests.js'
import { epochMs, killHard, type Stage, sleep } from './stage.js'
import type { Verdict } from './verdict.js'

/** A checkpoint begins at 64 MiB of log. */
const logBytesBefore = 58 * 1024 * 1024
const fillMsMax = 60_000

/** Kills about the time when the log is moved into the database: each on a database of its own. */
export async function runCheckpointKills(
  stage: Stage,
  { seed, kills }: { seed: number; kills: number },
): Promise<Verdict> {
  const random = randomOf(seed)
  const verdicts: Verdict[] = []
  let killed = 0
  for (let kill = 0; kill < kills; kill++) {
    const dataDir = stage.folder()
    const load = { ...ordinaryLoad, dataBytes: 30 * 1024, connections: 16, calls: 8, prefix: `kill-${kill}-` }
    const driver = new LoadDriver(stage.folder(), load, random)
    const service = await stage.service({ dataDir })
    driver.start(service.port)
    const until = epochMs() + fillMsMax
    const log = join(dataDir, 'voicestream.db-wal')
    while (epochMs() < until && statSync(log).size < logBytesBefore) await sleep(10)
    await sleep(random.integer(0, 1500))
    const database = statSync(join(dataDir, 'voicestream.db')).size
    await killHard(service)
    await driver.halt()
    // Past a few pages, a checkpoint has begun.
    if (database > 1024 * 1024) killed++
    const next = await stage.service({ dataDir })
    verdicts.push({ ...(await judgeAndSettle(next, driver)), faults: 1 })
    await killHard(next)
    driver.close()
  }
  return {
    counts: {
      kills,
      acknowledged: verdicts.reduce((sum, { counts }) => sum + (counts['acknowledged'] ?? 0), 0),
    },
    faults: killed,
    findings: verdicts.flatMap(({ findings }) => findings),
  }
}

/** Calls leave memory after a minute of silence. */
const silenceMs = 66_000

/** Calls that have left memory take packets again with exact gaps, know their duplicates, and survive a kill. */
export async function runPassivation(stage: Stage, { seed }: { seed: number }): Promise<Verdict> {
  const dataDir = stage.folder()
  const load = { ...ordinaryLoad, calls: 300, resendShare: 0.1 }
  const driver = new LoadDriver(stage.folder(), load, randomOf(seed))
  const service = await stage.service({ dataDir })
  const inMemory: number[] = []
  for (let round = 0; round < 2; round++) {
    driver.start(service.port)
    await sleep(2000)
    await driver.halt()
    inMemory.push(await activeCalls(service.port))
    if (round === 0) {
      await sleep(silenceMs)
      inMemory.push(await activeCalls(service.port))
    }
  }
  const [before = 0, silent = 0] = inMemory
  const judged = await judgeAndSettle(service, driver)
  await killHard(service)
  const next = await stage.service({ dataDir })
  const again = await judgeAndSettle(next, driver)
  await killHard(next)
  driver.close()
  return {
    counts: { ...judged.counts, callsInMemory: before },
    notes: { callsInMemoryAfterSilence: silent },
    faults: before - silent,
    findings: [...judged.findings, ...again.findings],
  }
}

async function activeCalls(port: number): Promise<number> {
  const connection = new Connection(port)
  const answer = await connection.get('/metrics')
  connection.close()
  const text = answer.kind === 'answered' ? answer.text : ''
  return Number(/^voicestream_calls_active (\d+)/m.exec(text)?.[1] ?? Number.NaN)
}
