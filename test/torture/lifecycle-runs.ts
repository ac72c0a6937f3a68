/**
 * Kills all over the lives of many short calls: each goes on by itself and ends once (P7). Every second kill comes right
 * after an answer of the provider, where its result is not journaled yet.
 */

import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { patience } from '../support/patience.js'
import { judgeAndSettle } from './disk-faults.js'
import { LoadDriver, ordinaryLoad } from './driver.js'
import { describeLives, judgeLives, type Sighting, type State } from './lifecycle-oracle.js'
import {
  countLostResults,
  describeProvider,
  judgeProvider,
  nextAnswer,
  readProviderAccount,
} from './provider-account.js'
import { randomOf } from './random.js'
import { readViews } from './read-back.js'
import { epochMs, killHard, type Stage, sleep } from './stage.js'
import { Supervisor } from './supervisor.js'
import type { Verdict } from './verdict.js'

export interface LifecyclePlan {
  readonly seed: number
  readonly kills: number
}

/** A restart takes up to a second; the grace period is longer, so that a start finds calls in every state. */
const settings = {
  GRACE_PERIOD_MS: 2000,
  AI_SIMULATED_FAILURE_RATE: 0.5,
  AI_SIMULATED_LATENCY_MIN_MS: 5,
  AI_SIMULATED_LATENCY_MAX_MS: 120,
  AI_BACKOFF_BASE_MS: 30,
  // Half of all requests fail: ten in a row are no outage here, and what is released would not count.
  AI_BREAKER_FAILURES: 0,
}
const load = {
  ...ordinaryLoad,
  connections: 4,
  calls: 10,
  packetsPerCall: 5,
  completes: true,
  packetsPerSecond: 120,
}
const attemptsMax = 5
const killsForEveryState = 5
/** So many kills after an answer take some results with them. */
const killsForLostResults = 20
const answerMsMax = 2000
/** An answer is journaled within a few milliseconds; most kills come before that. */
const killAfterAnswerMs = [0, 0, 0, 1, 2, 5, 20]
/** Much longer than a life; the promise is grace period + budget + 10 s. */
const endMsMax = 20_000

export async function runLifecycleKills(stage: Stage, { seed, kills }: LifecyclePlan): Promise<Verdict> {
  const random = randomOf(seed)
  const dataDir = stage.folder()
  const driver = new LoadDriver(stage.folder(), load, random)
  const supervisor = new Supervisor(stage)
  const sightings: Sighting[] = []
  const found: Record<State, number> = {
    IN_PROGRESS: 0,
    COMPLETED: 0,
    PROCESSING_AI: 0,
    ARCHIVED: 0,
    FAILED: 0,
  }
  const look = async (port: number) => {
    const seen = (await readViews(port)).map(
      ({ call_id, state, ai, ended_at }): Sighting => ({
        call: call_id,
        state,
        attempts: ai.attempts,
        redrives: ai.redrives,
        endedAt: ended_at,
      }),
    )
    sightings.push(...seen)
    return seen
  }
  const account = join(stage.folder(), 'provider.ndjson')
  // Watched from the first run on.
  closeSync(openSync(account, 'a'))
  const preload = new URL('./preload/record-provider.js', import.meta.url).href
  const wrapper = ['env', `NODE_OPTIONS=--import=${preload}`, `VSTEST_PROVIDER_ACCOUNT=${account}`]
  for (let kill = 0; kill < kills; kill++) {
    const service = await stage.service({ dataDir, settings, wrapper, isApart: true })
    for (const { state } of await look(service.port)) found[state]++
    await supervisor.connect(service.port)
    driver.start(service.port)
    await sleep(random.integer(300, 900))
    if (kill % 2 === 1) {
      await nextAnswer(account, patience(answerMsMax))
      const waitMs = random.pick(killAfterAnswerMs)
      if (waitMs > 0) await sleep(waitMs)
    }
    await killHard(service)
    await driver.halt()
  }
  const service = await stage.service({ dataDir, settings, wrapper, isApart: true })
  await supervisor.connect(service.port)
  for (const { state } of await look(service.port)) found[state]++
  const judged = await judgeAndSettle(service, driver)
  const completed = driver
    .history()
    .completions.flatMap(({ call, outcome }) => (outcome === 'accepted' ? [call] : []))
  const until = epochMs() + patience(endMsMax)
  while (
    epochMs() < until &&
    (await look(service.port)).some(({ call, state }) => isUnderWay(state) && completed.includes(call))
  )
    await sleep(100)
  const lives = judgeLives({ changes: supervisor.changes, sightings, completed, attemptsMax })
  await killHard(service)
  driver.close()
  const text = describeLives(lives)
  const ends = new Map(sightings.map(({ call, state }) => [call, state]))
  const lines = readProviderAccount(account)
  const lostResults = countLostResults(lines, ends)
  const underWay = {
    killedInProgress: found.IN_PROGRESS,
    killedInGrace: found.COMPLETED,
    killedInAnalysis: found.PROCESSING_AI,
  }
  return {
    counts: {
      ...judged.counts,
      completed: completed.length,
      providerRequests: lines.filter(({ is }) => is === 'request').length,
      // A few kills may miss a state.
      ...(kills >= killsForEveryState ? underWay : {}),
      ...(kills >= killsForLostResults ? { lostResults } : {}),
    },
    notes: {
      ...judged.notes,
      ...underWay,
      lostResults,
      killedArchived: found.ARCHIVED,
      killedFailed: found.FAILED,
    },
    faults: kills,
    findings: [
      ...judged.findings,
      ...(text === '' ? [] : text.split('\n')),
      ...describeProvider(judgeProvider(lines, ends, attemptsMax)),
    ],
  }
}

function isUnderWay(state: State): boolean {
  return state !== 'ARCHIVED' && state !== 'FAILED'
}
