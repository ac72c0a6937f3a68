/** The process: arguments and environment in, signals and exit codes out. The only reader of `process`. */
import { readFileSync } from 'node:fs'
import { type App, startApp } from './app.js'
import { type Config, ConfigError, helpText, printable, readConfig } from './config.js'
import { version } from './http/operations.js'
import { limits } from './limits.js'
import { createLog } from './log.js'

/** After sysexits.h: bad usage, and a service that cannot run. */
const exitCodes = { ok: 0, failed: 1, badConfig: 78, storeFailed: 74 } as const

function readDotEnv(): string | null {
  try {
    return readFileSync('.env', 'utf8')
  } catch {
    // There need not be one.
    return null
  }
}

function configOrExit(): Config {
  const args = process.argv.slice(2)
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(helpText())
    process.exit(exitCodes.ok)
  }
  if (args.includes('--version')) {
    process.stdout.write(`${version}\n`)
    process.exit(exitCodes.ok)
  }
  try {
    return readConfig({ args, environment: process.env, dotEnv: readDotEnv() })
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`voicestream: ${error.message}\n`)
    process.exit(exitCodes.badConfig)
  }
}

async function main(): Promise<void> {
  const config = configOrExit()
  const log = createLog(config.LOG_LEVEL)
  log.info({ version, node: process.version, config: printable(config) }, 'starting')
  let app: App
  try {
    app = await startApp(config, {
      log,
      onFatal: (error) => {
        log.fatal({ err: error }, 'the store has failed; nothing more is acknowledged')
        process.exit(exitCodes.storeFailed)
      },
    })
  } catch (error) {
    log.fatal({ reason: error instanceof Error ? error.message : String(error) }, 'cannot start')
    process.exit(error instanceof ConfigError ? exitCodes.badConfig : exitCodes.failed)
  }
  stopOnSignals(app, log)
  log.info({ host: app.host, port: app.port }, 'listening')
}

/** `process.exit` waits for the system calls of worker threads, and a stuck disk is why somebody is in a hurry. */
function endAtOnce(): void {
  process.kill(process.pid, 'SIGKILL')
}

function stopOnSignals(app: App, log: ReturnType<typeof createLog>): void {
  let isStopping = false
  const stop = (signal: NodeJS.Signals) => {
    if (isStopping) {
      log.warn({ signal }, 'asked again: ending at once')
      endAtOnce()
    }
    isStopping = true
    log.info({ signal }, 'draining')
    setTimeout(() => {
      log.fatal('the stop takes too long: ending at once; the next start recovers')
      endAtOnce()
    }, limits.stopMsMax).unref()
    app.stop().then(
      () => {
        log.info('stopped')
        process.exit(exitCodes.ok)
      },
      (error) => {
        log.fatal({ err: error }, 'the stop failed')
        process.exit(exitCodes.failed)
      },
    )
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
}

await main()
