/**
 * The real service as a child process: `dist/main.js` on a free port and a data folder of its own, on a real disk.
 * It is ended and its folder removed when the test is over, whatever happened.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { atEnd } from './cleanup.js'
import { patience } from './patience.js'

export interface ServiceOptions {
  readonly dataDir?: string
  /** Settings without their prefix, for example `{ GRACE_PERIOD_MS: 200 }`. */
  readonly settings?: Readonly<Record<string, string | number>>
  /** Put in front of the command, for example `['strace', '-f', …]`. */
  readonly wrapper?: readonly string[]
  /** Run from its many files instead of the joined ones, so that a preload finds the modules that it changes. */
  readonly isApart?: boolean
}

export interface Service {
  readonly url: string
  readonly port: number
  readonly dataDir: string
  /** The process that was spawned: with a wrapper, the wrapper. */
  readonly child: ChildProcess
  /** Every line of the log so far, parsed. */
  readonly log: readonly Record<string, unknown>[]
  /** What it wrote to stderr. */
  readonly errors: readonly string[]
  /** Resolves with the exit code (null after a signal). */
  readonly exited: Promise<number | null>
  kill(signal: NodeJS.Signals): void
}

/** Fast enough for tests, and without chance: no simulated failures. */
export const quickSettings = {
  GRACE_PERIOD_MS: 200,
  AI_SIMULATED_FAILURE_RATE: 0,
  AI_SIMULATED_LATENCY_MIN_MS: 1,
  AI_SIMULATED_LATENCY_MAX_MS: 5,
  LOG_LEVEL: 'info',
} as const

/** Another build can be put on trial: `VSTEST_DIST` names its folder. */
export function mainPath(name = 'main.js'): string {
  return join(process.env['VSTEST_DIST'] ?? 'dist', name)
}

export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'voicestream-test-'))
  atEnd(t, () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Resolves once the service listens; rejects with its output when it ends before that. */
export async function startService(t: TestContext, options: ServiceOptions = {}): Promise<Service> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'voicestream-test-'))
  const settings = { ...quickSettings, PORT: 0, DATA_DIR: dataDir, ...options.settings }
  const variables = Object.entries(settings).map(([key, value]) => [`VOICESTREAM_${key}`, String(value)])
  const program = mainPath(options.isApart === true ? 'main.apart.js' : 'main.js')
  const [command = process.execPath, ...args] = [...(options.wrapper ?? []), process.execPath, program]
  const child = spawn(command, args, {
    env: { ...process.env, ...Object.fromEntries(variables) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const closed = once(child, 'close')
  const exited = once(child, 'exit').then(async ([code]) => {
    // Its last lines are still in the pipe, which a killed wrapper's child keeps open.
    await Promise.race([closed, delay(patience(2_000), undefined, { ref: false })])
    return code as number | null
  })
  atEnd(t, async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    await exited
    // Not before the process is gone: it would write into the folder again.
    if (options.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true })
  })

  const log: Record<string, unknown>[] = []
  const errors: string[] = []
  createInterface({ input: child.stderr }).on('line', (line) => errors.push(line))
  const address = await new Promise<{ host: string; port: number }>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const entry: Record<string, unknown> = line.startsWith('{') ? JSON.parse(line) : { line }
      log.push(entry)
      if (entry['msg'] === 'listening') resolve(entry as unknown as { host: string; port: number })
    })
    child.once('close', (code) =>
      reject(
        new Error(`the service ended with ${code}: ${JSON.stringify(log.slice(-2))} ${errors.join('\n')}`),
      ),
    )
  })
  return {
    url: `http://${address.host}:${address.port}`,
    port: address.port,
    dataDir,
    child,
    log,
    errors,
    exited,
    kill: (signal) => child.kill(signal),
  }
}

export interface ParsedAnswer {
  readonly status: number
  readonly body: Record<string, unknown>
  readonly headers: Pick<Headers, 'get'>
}

/** A POST of JSON with its answer, parsed. */
export function post(service: { readonly url: string }, path: string, body: unknown): Promise<ParsedAnswer> {
  return parsed(ask('POST', service.url + path, typeof body === 'string' ? body : JSON.stringify(body)))
}

export function get(service: { readonly url: string }, path: string): Promise<ParsedAnswer> {
  return parsed(ask('GET', service.url + path))
}

export async function getText(service: { readonly url: string }, path: string): Promise<string> {
  return (await ask('GET', service.url + path)).told
}

async function parsed(answer: ReturnType<typeof ask>): Promise<ParsedAnswer> {
  const { status, headers, told } = await answer
  return {
    status,
    body: JSON.parse(told),
    headers: { get: (name) => String(headers[name.toLowerCase()] ?? '') || null },
  }
}

const agent = new Agent({ keepAlive: true })

/** Not with `fetch`, which takes four times as long: hundreds of tests ask, some thousands of times. */
async function ask(method: string, url: string, body?: string) {
  const asked = request(url, { agent, method })
  if (body !== undefined) {
    asked.setHeader('content-type', 'application/json')
    asked.setHeader('content-length', Buffer.byteLength(body))
  }
  asked.end(body)
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  return { status: answer.statusCode ?? 0, headers: answer.headers, told: await text(answer) }
}

export function packet(
  sequence: number,
  data = `packet ${sequence}`,
): { sequence: number; data: string; timestamp: number } {
  return { sequence, data, timestamp: 1_700_000_000 + sequence / 50 }
}

/**
 * The lines of the log that are wanted, once there are `count` of them. A line is read some time after the answer to the
 * request that caused it, so whoever looks at `log` itself may look too early.
 */
export function logged(
  { log }: Pick<Service, 'log'>,
  isWanted: (line: Record<string, unknown>) => boolean,
  count = 1,
): Promise<Record<string, unknown>[]> {
  return eventually(
    async () => log.filter(isWanted),
    (lines) => lines.length >= count,
  )
}

/** Asks until `isDone` says so; fails after `msMax` (`patience`). For states that only time brings. */
export async function eventually<T>(
  ask: () => Promise<T>,
  isDone: (answer: T) => boolean,
  msMax = 15_000,
): Promise<T> {
  const waitMs = patience(msMax)
  const until = Date.now() + waitMs
  for (;;) {
    const answer = await ask()
    if (isDone(answer)) return answer
    if (Date.now() > until) throw new Error(`still not so after ${waitMs} ms: ${JSON.stringify(answer)}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
