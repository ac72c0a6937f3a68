/** A server under measurement as a child process: the service as it is delivered, or the bare handler. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { bareProgram, serviceProgram } from './paths.js'
import type { Stage } from './stage.js'

const startMsMax = 60_000
const stopMsMax = 30_000
const warningsKeptMax = 50

export interface MeasuredServer {
  readonly url: string
  readonly port: number
  readonly pid: number
  /** Log lines of level warn and above, the first fifty. */
  readonly warnings: readonly string[]
  /** SIGTERM, and SIGKILL if that does not end it in time. */
  stop(): Promise<void>
  /** SIGKILL: what a crash leaves. */
  kill(): Promise<void>
}

/** The environment without settings of the service: what is measured is its default configuration. */
function plainEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('VOICESTREAM_')))
}

export function spawnServer(
  stage: Stage,
  program: string,
  args: readonly string[],
  folder: string,
): ChildProcess {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  // A `.env` file of the working folder would change the configuration.
  const child = spawn(process.execPath, [program, ...args], {
    cwd: folder,
    env: plainEnvironment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  stage.track(child)
  return child
}

function listening(child: ChildProcess, warnings: string[]): Promise<number> {
  const { stdout } = child
  if (stdout === null) throw new Error('the server has no output')
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`the server did not listen in ${startMsMax} ms`)),
      startMsMax,
    )
    createInterface({ input: stdout }).on('line', (line) => {
      const entry: { msg?: string; port?: number; level?: number } = line.startsWith('{')
        ? JSON.parse(line)
        : {}
      if ((entry.level ?? 0) >= 40 && warnings.length < warningsKeptMax) warnings.push(line)
      if (entry.msg !== 'listening' || entry.port === undefined) return
      clearTimeout(timer)
      resolve(entry.port)
    })
    child.once('exit', (code, signal) => {
      clearTimeout(timer)
      reject(new Error(`the server ended with ${code ?? signal}: ${warnings.at(-1) ?? 'no warning'}`))
    })
  })
}

async function start(stage: Stage, program: string, args: readonly string[], folder: string) {
  const child = spawnServer(stage, program, args, folder)
  const exited = once(child, 'exit')
  const warnings: string[] = []
  const port = await listening(child, warnings)
  let isEnding = false
  child.once('exit', (code, signal) => {
    if (!isEnding) console.error(`a server ended by itself with ${code ?? signal}: ${warnings.at(-1) ?? ''}`)
  })
  const end = async (signal: NodeJS.Signals) => {
    isEnding = true
    child.kill(signal)
    const timer = setTimeout(() => child.kill('SIGKILL'), stopMsMax)
    await exited
    clearTimeout(timer)
  }
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    pid: child.pid as number,
    warnings,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  }
}

/** `dist/main.js` on a port of its own. Without `settings` it runs its default configuration. */
export function startService(
  stage: Stage,
  dataDir: string,
  settings: Readonly<Record<string, string | number>> = {},
): Promise<MeasuredServer> {
  const flags = Object.entries({ port: 0, 'data-dir': dataDir, ...settings })
  const args = flags.flatMap(([name, value]) => [`--${name}`, String(value)])
  return start(stage, serviceProgram, args, dataDir)
}

/** What is missing to its rate is what decoding, the actors, the journal and the disk cost. */
export function startBare(stage: Stage): Promise<MeasuredServer> {
  return start(stage, bareProgram, [], stage.folder)
}
