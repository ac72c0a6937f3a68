#!/usr/bin/env node
/** The process: arguments and environment in, signals and exit codes out. The only reader of `process`. */
import { readFileSync } from 'node:fs'
import { close as closeInspector, url as inspectorUrl } from 'node:inspector'
import type { Signal, World } from './cli/world.js'

// Node would open its inspector, with which whoever reaches it can run code in here. Node 20 has no --disable-sigusr1.
// The modules of the commands come later, because until here the signal is Node's; what it has opened is closed.
process.on('SIGUSR1', () => {})
// A program that rotates logs may send the other one, which would end the process.
process.on('SIGUSR2', () => {})
const isInspected = [...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].join(' ').includes('--inspect')
if (!isInspected && inspectorUrl() !== undefined) closeInspector()

const columnsWithoutTerminal = 120

function readDotEnv(): string | null {
  try {
    return readFileSync('.env', 'utf8')
  } catch {
    // There need not be one.
    return null
  }
}

const world: World = {
  environment: process.env,
  nodeVersion: process.version,
  isRoot: process.getuid?.() === 0,
  terminal: {
    out: process.stdout,
    err: process.stderr,
    canMove: process.stderr.isTTY === true,
    columns: process.stdout.columns ?? columnsWithoutTerminal,
  },
  outIsScreen: process.stdout.isTTY === true,
  randomSeed: Math.floor(Math.random() * 2 ** 32),
  readDotEnv,
  onSignal: (signal, listener) => {
    const heard = (name: NodeJS.Signals) => listener(name as Signal)
    process.on(signal, heard)
    return () => process.off(signal, heard)
  },
  onUncaught: (listener) => process.on('uncaughtException', listener),
  endBy: (signal) => {
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  },
  // `process.exit` waits for the system calls of worker threads, and a stuck disk is why somebody is in a hurry.
  endAtOnce: () => process.kill(process.pid, 'SIGKILL'),
  exit: (code) => process.exit(code),
}

async function main(): Promise<void> {
  // All written files are for the owner alone: calls, copies of them, exports.
  process.umask(0o077)
  const { runCommand } = await import('./cli/commands.js')
  process.exitCode = await runCommand(process.argv.slice(2), world)
}

try {
  await main()
} catch (error) {
  // A bug, or a program whose files were replaced while it started: a line as for every other refusal, not a page of Node's.
  const { message, stack = '' } = error instanceof Error ? error : new Error(String(error))
  const [place = ''] = /\bat .*/.exec(stack.slice(stack.indexOf('\n    at '))) ?? []
  process.stderr.write(`voicestream: an unexpected error: ${message.split('\n', 1)[0]} (${place})\n`)
  process.exitCode = 1
}
