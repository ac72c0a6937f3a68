/** `voicestream serve`: the service, from its configuration to its exit code. */

import { type App, startApp } from '../app.js'
import { ConfigError, helpText, printable, readConfig } from '../config/config.js'
import { messageOf } from '../errors.js'
import { limits } from '../limits.js'
import { createLog, type Log } from '../log.js'
import { LogOutput } from '../log-output.js'
import { version } from '../version.js'
import { exitCodes } from './exit-codes.js'
import { tellListening, tellRefusal } from './service-terminal.js'
import type { World } from './world.js'

/** Resolves once the service listens; from then on signals end it. Throws `ConfigError`. */
export async function serve(words: readonly string[], world: World): Promise<number> {
  if (words.includes('--help') || words.includes('-h')) {
    world.terminal.out.write(helpText())
    return exitCodes.ok
  }
  const { environment } = world
  const config = readConfig({ args: words, environment, dotEnv: world.readDotEnv() })
  const output = new LogOutput(standardOutput)
  const log = createLog(config.LOG_LEVEL, output)
  output.onRecovered = () => log.warn('log lines were dropped: the log was not read, or its disk was full')
  const end = (code: number) => endAfterLog(code, output, world)
  world.onUncaught((error) => {
    log.fatal({ err: error }, 'an unexpected error; the next start recovers')
    void end(exitCodes.failed)
  })
  log.info({ version, node: world.nodeVersion, config: printable(config) }, 'starting')
  if (world.isRoot) log.warn('running as root; use a separate user')
  let app: App
  try {
    app = await startApp(config, {
      log,
      onFatal: (error) => {
        log.fatal({ err: error }, 'the store has failed; the service stops')
        void end(exitCodes.io)
      },
    })
  } catch (error) {
    const reason = messageOf(error)
    log.fatal({ reason }, 'cannot start')
    tellRefusal(reason, world)
    return end(error instanceof ConfigError ? exitCodes.badConfig : exitCodes.failed)
  }
  stopOnSignals({ app, log, end, endAtOnce: () => endAtOnceAfterLog(output, world) }, world)
  // `systemctl reload` must not end a service that has nothing to reload; a terminal that is closed ends what it started.
  if (config.TOKENS_FILE !== '' || !world.outIsScreen)
    world.onSignal('SIGHUP', () => reloadCredentials(app, log))
  log.info({ host: app.host, port: app.port }, 'listening')
  tellListening(config, app.port, world)
  return exitCodes.ok
}

/** `main.ts` has asked for `process.stdout`, which makes a pipe non-blocking: a write to a full one returns. */
const standardOutput = 1

/** The last lines come out first, as long as somebody reads them. */
async function endAfterLog(code: number, output: LogOutput, world: World): Promise<never> {
  await output.drained(limits.logDrainMsMax)
  // An exit would wait for a write that does not return: to a stopped terminal, or to a disk that hangs.
  if (await output.isStuck()) world.endAtOnce()
  return world.exit(code)
}

async function endAtOnceAfterLog(output: LogOutput, world: World): Promise<void> {
  await output.drained(limits.logDrainMsMax)
  world.endAtOnce()
}

function reloadCredentials(app: App, log: Log): void {
  try {
    app.reloadCredentials()
    log.info('the tokens were reloaded')
  } catch (error) {
    // What is wrong with the file is the operator's to mend, and no stack says more of it.
    const cause = error instanceof ConfigError ? { reason: error.message } : { err: error }
    log.error(cause, 'the tokens could not be reloaded; the old ones stay valid')
  }
}

interface Stopping {
  readonly app: App
  readonly log: Log
  end(code: number): Promise<never>
  endAtOnce(): Promise<void>
}

/** One press may arrive twice: `timeout`, and npm with a terminal, send to the process and to its group. */
const samePressMs = 100

function stopOnSignals({ app, log, end, endAtOnce }: Stopping, world: World): void {
  let stoppingAt: number | null = null
  const stop = (signal: string) => {
    if (stoppingAt !== null) {
      if (performance.now() - stoppingAt < samePressMs) return
      log.warn({ signal }, 'second signal: ending at once')
      void endAtOnce()
      return
    }
    stoppingAt = performance.now()
    log.info({ signal }, 'draining')
    setTimeout(() => {
      log.fatal('the stop took too long; ending at once; the next start recovers')
      void endAtOnce()
    }, limits.stopMsMax).unref()
    app.stop().then(
      () => {
        log.info('stopped')
        void end(exitCodes.ok)
      },
      (error) => {
        log.fatal({ err: error }, 'the stop failed')
        void end(exitCodes.failed)
      },
    )
  }
  world.onSignal('SIGTERM', stop)
  world.onSignal('SIGINT', stop)
}
