/**
 * The runner: `npm run bench`. Runs the scenarios one after the other, prints a table for each, and writes all of it as
 * JSON and as one page. Everything that was started is ended and removed, also after a failure or Ctrl-C.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Prefill } from './load/prefill.js'
import { wrkVersion } from './load/wrk.js'
import { describeEnvironment } from './measure/environment.js'
import { helpText, type Options, readOptions, UsageError } from './options.js'
import { pageOf } from './report/page.js'
import { checkText, environmentText, resultText } from './report/table.js'
import type { Check, Context, Outcome, Results, Scenario, ScenarioResult } from './scenario.js'
import { scenarios } from './scenarios/all.js'
import { resultsFolder } from './stage/paths.js'
import { Stage } from './stage/stage.js'

/** A scenario that hangs is a failure, and must not hold the rest up for ever. */
const scenarioMsMax = 60 * 60_000
/** What a quiet machine stays below. */
const busyLoad = 0.7

async function outcomeOf(scenario: Scenario, context: Context, hasWrk: boolean): Promise<Outcome> {
  if (scenario.needsWrk && !hasWrk)
    return { kind: 'skipped', reason: 'wrk is not installed (Debian: apt-get install wrk)' }
  let timer: NodeJS.Timeout | undefined
  const overdue = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('it did not end in an hour')), scenarioMsMax)
  })
  try {
    return { kind: 'measured', report: await Promise.race([scenario.run(context), overdue]) }
  } catch (error) {
    // The stack names folders of this machine, so it stays out of the results.
    console.error(error)
    return { kind: 'failed', reason: error instanceof Error ? error.message : String(error) }
  } finally {
    clearTimeout(timer)
  }
}

async function runAll(options: Options, stage: Stage): Promise<Results> {
  const { rounds, seconds, isQuick, only } = options
  const environment = describeEnvironment(stage.folder)
  console.log(environmentText(environment))
  if (environment.loadAverage > busyLoad)
    console.log(
      `!!! others are at work here: the load average was ${environment.loadAverage} before the start`,
    )
  const hasWrk = wrkVersion() !== null
  const context: Context = {
    stage,
    prefill: new Prefill(stage, options.prefill),
    rounds,
    seconds,
    isQuick,
    tell: (line) => console.log(`   ${line}`),
  }
  const results: ScenarioResult[] = []
  for (const scenario of scenarios.filter(({ name }) => only === null || only.includes(name))) {
    const { name, title, summary } = scenario
    console.log(`\n▶ ${name}: ${summary}`)
    const startedAt = performance.now()
    const outcome = await outcomeOf(scenario, context, hasWrk)
    // What a failed scenario left running would be measured with the next one.
    if (outcome.kind === 'failed') stage.endAll()
    const elapsedSeconds = (performance.now() - startedAt) / 1000
    const result = { name, title, summary, elapsedSeconds, outcome }
    console.log(resultText(result))
    results.push(result)
  }
  return { environment, rounds, seconds, isQuick, scenarios: results }
}

function checksOf({ scenarios: all }: Results): readonly Check[] {
  return all.flatMap(({ outcome }) => (outcome.kind === 'measured' ? outcome.report.checks : []))
}

function conclude(results: Results, folder: string): number {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'latest.json'), `${JSON.stringify(results, null, 2)}\n`)
  writeFileSync(join(folder, 'latest.html'), pageOf(results))
  console.log('\n━━ all checks')
  for (const check of checksOf(results)) console.log(checkText(check))
  for (const { name, outcome } of results.scenarios)
    if (outcome.kind !== 'measured') console.log(`${outcome.kind.toUpperCase()}: ${name}`)
  console.log('written: latest.json, latest.html')
  const isFailed =
    results.scenarios.some(({ outcome }) => outcome.kind === 'failed') ||
    checksOf(results).some(({ isGate, isMet }) => isGate === true && !isMet)
  return isFailed ? 1 : 0
}

function openStage(dir: string): Stage {
  try {
    return new Stage(dir)
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause })
  }
}

async function main(): Promise<number> {
  const names = scenarios.map(({ name }) => name)
  const options = readOptions(process.argv.slice(2), names)
  if (options.asked === 'help') {
    console.log(helpText)
    return 0
  }
  if (options.asked === 'list') {
    for (const { name, summary } of scenarios) console.log(`${name.padEnd(11)} ${summary}`)
    return 0
  }
  const stage = openStage(options.dir)
  process.on('exit', () => stage.clear())
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)
    process.on(signal, () => process.exit(code))
  return conclude(await runAll(options, stage), options.out ?? resultsFolder)
}

try {
  process.exit(await main())
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  console.error(`bench: ${error.message}; see --help`)
  process.exit(2)
}
