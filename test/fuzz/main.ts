/**
 * The fuzz (P18): inputs that nobody should send, against the service of `dist/`, or of the build that `VSTEST_DIST`
 * names. Exits with 1 when a promise was broken, and prints the smallest input that breaks it.
 */
import { commandLine } from '../support/command-line.js'
import { seedFromEnvironment } from '../torture/random.js'
import { tryBugs } from './bugs.js'
import { type Area, areas, parseReplay, replayText } from './input.js'
import { type FuzzVerdict, runFuzz } from './run.js'
import { Target } from './target.js'

const help = `Sends the built service what nobody should send. Prints the smallest input that breaks a promise.

Usage: npm run fuzz [-- --flag value …]

  --count N       inputs (100000)
  --only AREA,…   http, json, ws, auth (all)
  --seed N        which inputs
  --from BLOCK    the first block of inputs, to go on from a finding
  --replay INPUT  one input, as a finding names it
  --bugs          puts known bugs into a copy of the build, which must be found
  --help          this

VSTEST_DIST names another build than dist/. The exit code is 1 when a promise was broken.`

const values = commandLine(help, {
  count: { type: 'string', default: '100000' },
  seed: { type: 'string', default: String(seedFromEnvironment()) },
  only: { type: 'string', default: areas.join() },
  from: { type: 'string', default: '0' },
  replay: { type: 'string' },
  bugs: { type: 'boolean', default: false },
})

function numberOf(name: 'count' | 'seed' | 'from'): number {
  if (!/^\d{1,9}$/.test(values[name])) throw new Error(`--${name} is a number, not ${values[name]}`)
  return Number(values[name])
}

function chosenAreas(): readonly Area[] {
  const words = values.only.split(',')
  const chosen = areas.filter((area) => words.includes(area))
  if (chosen.length !== words.length) throw new Error(`--only takes ${areas.join()}, not ${values.only}`)
  return chosen
}

function tellFailure({ findings, block, culprit }: FuzzVerdict, seed: number): void {
  for (const finding of findings.slice(0, 10)) console.log(`  ${finding}`)
  if (block === null) return
  console.log(`again, the whole block: npm run fuzz -- --seed ${seed} --only ${values.only} --from ${block}`)
  if (culprit === null) return console.log('no single input of the block shows it alone')
  console.log(`the smallest input that shows it alone: ${culprit.findings[0]}`)
  for (const bytes of culprit.input.writes)
    console.log(`    ${JSON.stringify(bytes.toString('latin1').slice(0, 2000))}`)
  console.log(`again: npm run fuzz -- --replay ${replayText(culprit.input)}`)
}

async function replay(text: string): Promise<number> {
  const input = parseReplay(text)
  const target = await Target.start(input.area === 'auth')
  try {
    const findings = [...(await target.try(input)), ...(await target.check())]
    for (const finding of findings) console.log(finding)
    console.log(findings.length === 0 ? 'nothing was found' : `${findings.length} findings`)
    return findings.length === 0 ? 0 : 1
  } finally {
    await target.end()
  }
}

async function main(): Promise<number> {
  if (values.replay !== undefined) return replay(values.replay)
  const seed = numberOf('seed')
  console.log(`seed ${seed}`)
  if (values.bugs) return tryBugs(seed)
  const plan = { seed, count: numberOf('count'), areas: chosenAreas(), firstBlock: numberOf('from') }
  const verdict = await runFuzz({ ...plan, isShrinking: true }, (line) => console.log(line))
  const { inputs, accepted, grownMib, findings } = verdict
  console.log(
    `${inputs} inputs, ${accepted} packets accepted and accounted for, memory grew by ${grownMib} MiB`,
  )
  if (findings.length === 0) console.log('0 crashes, 0 server errors, 0 state changes')
  else tellFailure(verdict, seed)
  return findings.length === 0 ? 0 : 1
}

process.exitCode = await main()
