/** Progress on the screen: a bar on a terminal, a line now and then elsewhere. The only importer of cli-progress. */
import { Presets, SingleBar } from 'cli-progress'
import type { Terminal } from './terminal.js'

const barMs = 200
const lineMs = 5_000

interface Work {
  readonly label: string
  readonly total: number
  readonly count: () => number
}

/**
 * Shows how `count` approaches `total` until the returned function is called. The count is asked for, not told: at many
 * thousand packets a second, telling each would cost time that sending needs. Shows nothing where there is no work.
 */
export function showProgress(terminal: Terminal, work: Work): () => void {
  return work.total === 0 ? () => {} : terminal.canMove ? moveBar(terminal, work) : writeLines(terminal, work)
}

function moveBar(terminal: Terminal, { label, total, count }: Work): () => void {
  const bar = new SingleBar(
    {
      format: `${label.padEnd(8)} {bar} {percentage} % · {value} of {total} · {duration_formatted}`,
      stream: terminal.err,
      // The process has its own answer to Ctrl-C.
      gracefulExit: false,
      hideCursor: null,
      linewrap: null,
    },
    Presets.shades_classic,
  )
  bar.start(total, count())
  const timer = setInterval(() => bar.update(count()), barMs)
  return () => {
    clearInterval(timer)
    bar.update(count())
    bar.stop()
  }
}

function writeLines(terminal: Terminal, { label, total, count }: Work): () => void {
  const write = () => {
    const done = count()
    terminal.err.write(`${label}: ${done} of ${total} (${Math.floor((100 * done) / total)} %)\n`)
  }
  const timer = setInterval(write, lineMs)
  return () => {
    clearInterval(timer)
    write()
  }
}
