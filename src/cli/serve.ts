/** `voicestream serve`: the service, from its configuration to its exit code. */
import { type App, startApp } from '../app.js'
import { ConfigError, helpText, printable, readConfig } from '../config.js'
import { limits } from '../limits.js'
import { createLog, type Log } from '../log.js'
import { version } from '../version.js'
import { exitCodes } from './exit-codes.js'
import type { World } from './world.js'

/** Resolves once the service listens; from then on signals end it. Throws `ConfigError`. */
export async function serve(words: readonly string[], world: World): Promise<number> {
  if (words.includes('--help') || words.includes('-h')) {
    world.terminal.out.write(helpText())
    return exitCodes.ok
  }
  const { environment } = world
  const config = readConfig({ args: words, environment, dotEnv: world.readDotEnv() })
  const log = createLog(config.LOG_LEVEL)
  log.info({ version, node: world.nodeVersion, config: printable(config) }, 'starting')
  if (world.isRoot) log.warn('running as root: a user of its own could do less harm')
  let app: App
  try {
    app = await startApp(config, {
      log,
      onFatal: (error) => {
        log.fatal({ err: error }, 'the store has failed; nothing more is acknowledged')
        world.exit(exitCodes.io)
      },
    })
  } catch (error) {
    log.fatal({ reason: error instanceof Error ? error.message : String(error) }, 'cannot start')
    world.exit(error instanceof ConfigError ? exitCodes.badConfig : exitCodes.failed)
  }
  stopOnSignals(app, log, world)
  // `systemctl reload` must not end a service that has nothing to reload; a terminal that is closed ends what it started.
  if (config.TOKENS_FILE !== '' || !world.outIsScreen)
    world.onSignal('SIGHUP', () => reloadCredentials(app, log))
  log.info({ host: app.host, port: app.port }, 'listening')
  return exitCodes.ok
}

function reloadCredentials(app: App, log: Log): void {
  try {
    app.reloadCredentials()
    log.info('the tokens were read again')
  } catch (error) {
    log.error({ err: error }, 'the tokens cannot be read; they stay as they were')
  }
}

function stopOnSignals(app: App, log: Log, world: World): void {
  let isStopping = false
  const stop = (signal: string) => {
    if (isStopping) {
      log.warn({ signal }, 'asked again: ending at once')
      world.endAtOnce()
    }
    isStopping = true
    log.info({ signal }, 'draining')
    setTimeout(() => {
      log.fatal('the stop takes too long: ending at once; the next start recovers')
      world.endAtOnce()
    }, limits.stopMsMax).unref()
    app.stop().then(
      () => {
        log.info('stopped')
        world.exit(exitCodes.ok)
      },
      (error) => {
        log.fatal({ err: error }, 'the stop failed')
        world.exit(exitCodes.failed)
      },
    )
  }
  world.onSignal('SIGTERM', stop)
  world.onSignal('SIGINT', stop)
}
