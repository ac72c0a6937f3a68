/**
 * The soak (P25): churn for half an hour, and nothing that a call, a request or a supervisor took may be left behind.
 * Uses `dist/` of the current folder, or the build that `VSTEST_DIST` names. Exits with 1 when a check is not met.
 */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { checkText } from '../../bench/report/table.js'
import { resultsFolder } from '../../bench/stage/paths.js'
import { commandLine } from '../support/command-line.js'
import { seedFromEnvironment } from '../torture/random.js'
import { Stage } from '../torture/stage.js'
import { soakPage } from './page.js'
import { runSoak } from './run.js'

const help = `Keeps calls, requests and supervisors coming and going, and checks that none of them leaves anything behind.

Usage: npm run soak [-- --flag value …]

  --minutes N   how long (30)
  --rate N      packets a second (500)
  --seed N      what happens when
  --out FOLDER  where soak.html goes (bench/results)
  --help        this

VSTEST_DIST names another build than dist/. The exit code is 1 when a check is not met.`

const values = commandLine(help, {
  minutes: { type: 'string', default: '30' },
  rate: { type: 'string', default: '500' },
  seed: { type: 'string', default: String(seedFromEnvironment()) },
  out: { type: 'string', default: resultsFolder },
})

/** The account of a run is read back as one text, and a text has at most 512 MiB. */
const packetsMax = 1_800_000

function numberOf(name: 'minutes' | 'rate' | 'seed'): number {
  const value = Number(values[name])
  if (!/^\d+(\.\d+)?$/.test(values[name])) throw new Error(`--${name} is a number, not ${values[name]}`)
  return value
}

async function main(): Promise<void> {
  const plan = {
    minutes: numberOf('minutes'),
    packetsPerSecond: numberOf('rate'),
    seed: numberOf('seed'),
  }
  if (plan.minutes * 60 * plan.packetsPerSecond > packetsMax)
    throw new Error(`at most ${packetsMax} packets a run`)
  console.log(`seed ${plan.seed}: ${plan.minutes} minutes at ${plan.packetsPerSecond} packets/s`)
  const stage = new Stage()
  try {
    const soak = await runSoak(stage, plan, (line) => console.log(line))
    for (const check of soak.checks) console.log(checkText(check))
    for (const note of soak.notes) console.log(`  · ${note}`)
    mkdirSync(values.out, { recursive: true })
    writeFileSync(join(values.out, 'soak.html'), soakPage(soak, plan, stage.folder()))
    writeFileSync(join(values.out, 'soak.json'), `${JSON.stringify({ plan, ...soak }, null, 1)}\n`)
    console.log('written: soak.html, soak.json')
    process.exitCode = soak.checks.every(({ isMet }) => isMet) ? 0 : 1
  } finally {
    await stage.clear()
  }
}

await main()
