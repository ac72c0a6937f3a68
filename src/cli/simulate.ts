/** `voicestream simulate`: the simulated PBX, which knows only the contract. */
import { systemClock } from '../simulate/clock.js'
import { simulate } from '../simulate/simulation.js'
import type { World } from './world.js'

/** npm passes on a Ctrl-C that the terminal sends here as well, so one press arrives twice. */
const samePressMs = 300
const interrupted = 130

export function simulateCalls(words: readonly string[], world: World): Promise<number> {
  const interruption = new AbortController()
  let interruptedAtMs = 0
  world.onSignal('SIGINT', () => {
    // Whoever asks twice does not want to wait for the answers that are under way.
    if (interruption.signal.aborted && performance.now() - interruptedAtMs > samePressMs)
      world.exit(interrupted)
    if (!interruption.signal.aborted) interruptedAtMs = performance.now()
    interruption.abort()
  })
  world.onSignal('SIGTERM', () => interruption.abort())
  const { terminal, randomSeed, environment } = world
  return simulate(words, {
    clock: systemClock,
    terminal,
    signal: interruption.signal,
    randomSeed,
    environment,
  })
}
