/** Process entry of `npm run simulate`: arguments, signals, exit code. The only reader of `process` here. */
import { systemClock } from './clock.js'
import { simulate } from './simulation.js'

const columnsWithoutTerminal = 120
/** npm passes on a Ctrl-C that the terminal sends here as well, so one press arrives twice. */
const samePressMs = 300
let interruptedAtMs = 0
const interruption = new AbortController()

process.on('SIGINT', () => {
  // Whoever asks twice does not want to wait for the answers that are under way.
  if (interruption.signal.aborted && performance.now() - interruptedAtMs > samePressMs) process.exit(130)
  if (!interruption.signal.aborted) interruptedAtMs = performance.now()
  interruption.abort()
})
process.on('SIGTERM', () => interruption.abort())

process.exitCode = await simulate(process.argv.slice(2), {
  clock: systemClock,
  terminal: {
    out: process.stdout,
    err: process.stderr,
    canMove: process.stderr.isTTY === true,
    columns: process.stdout.columns ?? columnsWithoutTerminal,
  },
  signal: interruption.signal,
  randomSeed: Math.floor(Math.random() * 2 ** 32),
})
