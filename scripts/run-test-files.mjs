/** Runs test files, each in a process of its own with node's runner, and tells a line a file and each failure in full. */
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'

/**
 * As many as there are cores, at least two. Half of a file's time is waiting, but with twice as many a run was only a seventh shorter, and
 * tests that flood a service met a machine that took nothing of it. Another number may be asked for.
 */
const filesAtATime = Number(process.env['VSTEST_FILES'] ?? Math.min(8, Math.max(2, availableParallelism())))
if (!Number.isInteger(filesAtATime) || filesAtATime < 1) throw new Error('VSTEST_FILES is a number of files')
/** The closing lines of node's runner, which those who run this read. */
const kinds = ['tests', 'suites', 'pass', 'fail', 'cancelled', 'skipped', 'todo']
const slowestTold = 10
/** A file that takes longer is ended, so that no run can hang. What it has told by then ends before the test that hangs. */
const fileMsMax = 600_000

/** `files` are of `{ name, path }`, begun in their order. Resolves with the exit code. */
export async function runTestFiles(
  files,
  { isVerbose = false, msMax = fileMsMax, write = (text) => process.stdout.write(text) },
) {
  const startedAt = performance.now()
  const results = []
  const waiting = [...files]
  const work = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const result = await runFile(file, msMax, isVerbose ? write : () => {})
      results.push(result)
      write(
        `${lineOf(result, `${String(results.length).padStart(String(files.length).length)}/${files.length}`)}\n`,
      )
    }
  }
  await Promise.all(Array.from({ length: filesAtATime }, work))
  const failed = results.filter(({ fault }) => fault !== null)
  for (const result of failed) write(`\n✖ ${result.name}: ${result.fault}\n\n${failuresOf(result).trim()}\n`)
  write(`${slowestOf(results)}\n${closingLines(results, performance.now() - startedAt)}`)
  return failed.length === 0 ? 0 : 1
}

const running = new Set()
/** Nobody else would end them. */
export function endTestFiles() {
  for (const child of running) child.kill('SIGKILL')
}

/** To its end. `counts` is null where the process had no result. */
function runFile({ name, path }, msMax, tell) {
  const startedAt = performance.now()
  const child = spawn(process.execPath, ['--test-reporter=spec', path], { stdio: ['ignore', 'pipe', 'pipe'] })
  running.add(child)
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    child.kill('SIGKILL')
  }, msMax)
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk) => {
      output += chunk
      tell(chunk)
    })
  return new Promise((resolve) => {
    child.on('close', (code, signal) => {
      running.delete(child)
      clearTimeout(timer)
      const counts = countsOf(output)
      const end = isLate ? `did not end within ${msMax / 1000} s` : `ended with ${signal ?? code}`
      const leftOut = counts?.tests === 0 ? reasonOf(output) : null
      const fault = isLate ? end : faultOf(counts, leftOut, code === 0 ? null : end)
      resolve({ name, output, counts, leftOut, fault, seconds: (performance.now() - startedAt) / 1000 })
    })
  })
}

/** The last lines that say so, because a test may print the results of a run of its own. */
function countsOf(output) {
  const counts = {}
  for (const kind of kinds) {
    const lines = [...output.matchAll(new RegExp(`^ℹ ${kind} (\\d+)$`, 'gm'))]
    if (lines.length === 0) return null
    counts[kind] = Number(lines.at(-1)[1])
  }
  return counts
}

/** Why all of a file was left out, which the runner counts as no test: what it needs is not on this machine. Null without a reason. */
function reasonOf(output) {
  return /^﹣ .* # (.+)$/m.exec(output)?.[1] ?? null
}

function faultOf(counts, leftOut, end) {
  if (counts === null) return end ?? 'ended without a result'
  if (counts.tests === 0 && leftOut === null) return 'no test ran'
  const failures = counts.fail + counts.cancelled
  return failures > 0 ? `${failures} failed` : end
}

function lineOf({ name, counts, leftOut, fault, seconds }, progress) {
  if (fault === null && leftOut !== null) return `!!! ${progress} ${name}: left out: ${leftOut}`
  const skipped = counts !== null && counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''
  const mark = fault === null ? '✔' : '✖'
  return `${mark} ${progress} ${name}: ${fault ?? `${counts.pass} passed`}${skipped} (${seconds.toFixed(1)} s)`
}

/** What the reporter repeats of the failures at its end, or all there is, but for counts: those of all files come last. */
function failuresOf({ output, counts }) {
  const at = output.lastIndexOf('✖ failing tests:')
  const told = counts === null || at === -1 ? output : output.slice(at)
  return told.replaceAll(/^ℹ \w+ [\d.]+\n/gm, '')
}

function slowestOf(results) {
  if (results.length <= slowestTold) return ''
  const slowest = results.toSorted((a, b) => b.seconds - a.seconds).slice(0, slowestTold)
  return `\nslowest: ${slowest.map(({ name, seconds }) => `${name} ${seconds.toFixed(1)} s`).join(', ')}\n`
}

function closingLines(results, ms) {
  // What node has not counted: a file that ended without a result, or whose process failed behind its tests.
  const uncounted = results.filter(
    ({ fault, counts }) => fault !== null && (counts === null || counts.fail + counts.cancelled === 0),
  ).length
  const sum = (kind) => results.reduce((total, { counts }) => total + (counts?.[kind] ?? 0), 0)
  const total = (kind) => sum(kind) + (kind === 'tests' || kind === 'fail' ? uncounted : 0)
  return `${kinds.map((kind) => `ℹ ${kind} ${total(kind)}\n`).join('')}ℹ duration_ms ${Math.round(ms)}\n`
}
