/**
 * The torture run: breaks the service in every way that the scenarios know and prints what came of it. Uses `dist/` of
 * the current folder. Exits with 1 when a promise was broken or a fault did not happen.
 */
import { commandLine } from '../support/command-line.js'
import { seedFromEnvironment } from './random.js'
import { type Scenario, type Size, scenarios } from './scenarios.js'
import { epochMs, Stage } from './stage.js'
import { hasPassed, type Verdict } from './verdict.js'

interface Row {
  readonly name: string
  readonly result: 'passed' | 'FAILED' | 'SKIPPED'
  readonly faults: number
  readonly cases: string
  readonly seconds: number
}

const help = `Breaks the built service in every way that the scenarios know, and prints a table of what came of it.

Usage: npm run torture [-- --flag value …]

  --only NAME,…  scenarios whose names begin so (all: about 45 minutes)
  --kills N      kills of the kill scenarios together (200)
  --seed N       what happens when; a finding names its seed
  --list         the scenarios and what each of them holds
  --help         this

The exit code is 1 when a promise was broken or a fault did not happen.`

const values = commandLine(help, {
  only: { type: 'string', multiple: true, default: [] },
  kills: { type: 'string', default: process.env['VSTEST_KILLS'] ?? '200' },
  seed: { type: 'string', default: String(seedFromEnvironment()) },
  list: { type: 'boolean', default: false },
})

function chosenScenarios(): readonly Scenario[] {
  const words = values.only.flatMap((text) => text.split(','))
  const chosen = scenarios.filter(
    ({ name }) => words.length === 0 || words.some((word) => name.startsWith(word)),
  )
  if (chosen.length === 0) throw new Error(`no scenario begins with ${words.join(' or ')}; see --list`)
  return chosen
}

function naturalNumber(text: string, name: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`--${name} is a number, not ${text}`)
  return Number(text)
}

async function run(scenario: Scenario, size: Size): Promise<Row> {
  const { name } = scenario
  const reason = scenario.unavailable()
  if (reason !== null) {
    console.log(`${name}: SKIPPED, ${reason}`)
    return { name, result: 'SKIPPED', faults: 0, cases: reason, seconds: 0 }
  }
  console.log(`${name}: ${scenario.promise}`)
  const startedAt = epochMs()
  const stage = new Stage()
  let verdict: Verdict
  try {
    verdict = await scenario.run(stage, size)
  } catch (error) {
    verdict = {
      counts: {},
      faults: 0,
      findings: [`it broke off: ${error instanceof Error ? error.stack : error}`],
    }
  } finally {
    await stage.clear()
  }
  for (const finding of verdict.findings) console.log(`  ${finding}`)
  const cases = Object.entries({ ...verdict.counts, ...verdict.notes }).map(
    ([what, count]) => `${what} ${count}`,
  )
  return {
    name,
    result: hasPassed(verdict) ? 'passed' : 'FAILED',
    faults: verdict.faults,
    cases: cases.join(', '),
    seconds: Math.round((epochMs() - startedAt) / 1000),
  }
}

function printTable(rows: readonly Row[]): void {
  const nameWidth = Math.max(...rows.map(({ name }) => name.length))
  console.log(`\n${'scenario'.padEnd(nameWidth)}  verdict  faults  seconds  cases`)
  for (const { name, result, faults, seconds, cases } of rows)
    console.log(
      `${name.padEnd(nameWidth)}  ${result.padEnd(7)}  ${String(faults).padStart(6)}  ${String(seconds).padStart(7)}  ${cases}`,
    )
}

async function main(): Promise<void> {
  if (values.list) {
    for (const { name, promise } of scenarios) console.log(`${name.padEnd(24)}  ${promise}`)
    return
  }
  const size = { seed: naturalNumber(values.seed, 'seed'), kills: naturalNumber(values.kills, 'kills') }
  const chosen = chosenScenarios()
  console.log(`seed ${size.seed}`)
  const rows: Row[] = []
  for (const scenario of chosen) rows.push(await run(scenario, size))
  printTable(rows)
  const failed = rows.filter(({ result }) => result === 'FAILED')
  const skipped = rows.filter(({ result }) => result === 'SKIPPED')
  if (skipped.length > 0)
    console.log(`\n${skipped.length} scenarios could not run here and have shown nothing.`)
  if (failed.length > 0)
    console.log(
      `\nAgain: --only ${failed.map(({ name }) => name).join(',')} --kills ${size.kills} --seed ${size.seed}`,
    )
  process.exitCode = failed.length > 0 ? 1 : 0
}

await main()
