/**
 * Are the scenarios worth anything? Each bug of the table is put into a copy of `dist/`, and its scenario run against
 * that copy must find it. Exits with 1 when a bug was not found, a patch no longer fits, or a scenario cannot run here:
 * what has not been shown is not green.
 */
import { commandLine } from '../support/command-line.js'
import { type Bug, bugs } from './bugs.js'
import { patchedBuild } from './patched-build.js'
import { seedFromEnvironment } from './random.js'
import { epochMs, Stage } from './stage.js'

const help = `Puts each known bug into a copy of dist/ and runs the scenario that must find it.

Usage: npm run torture:bugs [-- --flag value …]

  --only WORDS  bugs whose names have these words (all)
  --seed N      what happens when
  --help        this

The exit code is 1 when a bug was not found, a patch no longer fits, or a scenario cannot run here.`

const values = commandLine(help, {
  only: { type: 'string', default: '' },
  seed: { type: 'string', default: String(seedFromEnvironment()) },
})

interface Trial {
  readonly isFound: boolean
  /** The finding, or why there is none. */
  readonly detail: string
}

async function tryBug({ edits, finding, run, unavailable }: Bug, seed: number): Promise<Trial> {
  const reason = unavailable()
  if (reason !== null) return { isFound: false, detail: `its scenario cannot run: ${reason}` }
  const stage = new Stage()
  try {
    process.env['VSTEST_DIST'] = patchedBuild(stage, edits)
    const { findings } = await run(stage, seed)
    const found = findings.find((line) => finding.test(line))
    if (found !== undefined) return { isFound: true, detail: found }
    return { isFound: false, detail: `${findings.length} findings, but not ${finding}: ${findings[0] ?? ''}` }
  } catch (error) {
    // A service that notices its bug by itself answers so, and the scenario cannot go on.
    const detail = `it broke off: ${error instanceof Error ? error.message : error}`
    return { isFound: finding.test(detail), detail }
  } finally {
    delete process.env['VSTEST_DIST']
    await stage.clear()
  }
}

async function main(): Promise<void> {
  const seed = Number(values.seed)
  const chosen = bugs.filter(({ name, scenario }) => `${scenario} ${name}`.includes(values.only))
  if (chosen.length === 0) throw new Error(`no bug or scenario has ${values.only} in its name`)
  console.log(`seed ${seed}`)
  let missed = 0
  for (const bug of chosen) {
    const startedAt = epochMs()
    const { isFound, detail } = await tryBug(bug, seed)
    if (!isFound) missed++
    const seconds = Math.round((epochMs() - startedAt) / 1000)
    console.log(`${isFound ? 'found ' : 'MISSED'}  ${bug.name} (${bug.scenario}, ${seconds} s)`)
    console.log(`        ${detail.slice(0, 300)}`)
  }
  console.log(`\n${chosen.length - missed} of ${chosen.length} bugs were found`)
  process.exitCode = missed > 0 ? 1 : 0
}

await main()
