/** Finds the command, runs it and prints its errors. Each command is loaded only when it is used: `verify` needs no server. */
import { codeOf, messageOf } from '../errors.js'
import { limits } from '../limits.js'
import { quoted } from '../quoted.js'
import { version } from '../version.js'
import { exitCodeOf, exitCodes } from './exit-codes.js'
import type { World } from './world.js'

interface Command {
  readonly summary: string
  load(): Promise<(words: readonly string[], world: World) => Promise<number>>
}

const commands: Readonly<Record<string, Command>> = {
  serve: {
    summary: 'run the service; also without a command',
    load: async () => (await import('./serve.js')).serve,
  },
  simulate: {
    summary: 'play a WAV file into a service as a PBX would, and check its account of every call',
    load: async () => (await import('./simulate.js')).simulateCalls,
  },
  backup: {
    summary: 'copy the database while the service runs, verified',
    load: async () => (await import('./backup.js')).backup,
  },
  verify: {
    summary: 'check a database or a backup: integrity, accounts, gaps',
    load: async () => (await import('./verify.js')).verify,
  },
  export: {
    summary: 'write a call as WAV or as its packets',
    load: async () => (await import('./export.js')).exportCall,
  },
  cluster: {
    summary: 'make and check the log that several machines will share',
    load: async () => (await import('./cluster.js')).cluster,
  },
}

/** Runs the command that `words` name; resolves with the exit code. */
export async function runCommand(words: readonly string[], world: World): Promise<number> {
  const [first = ''] = words
  if (first === '--version') {
    world.terminal.out.write(`${version}\n`)
    return exitCodes.ok
  }
  if (first === '--help' || first === '-h') {
    world.terminal.out.write(await overview())
    return exitCodes.ok
  }
  // Flags without a command are the service's, as they were before there were commands.
  const isNamed = first !== '' && !first.startsWith('-')
  const name = isNamed ? first : 'serve'
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command === undefined)
    return tell(`unknown command ${quoted(first)}; see --help`, exitCodes.usage, world)
  try {
    const run = await command.load()
    return await run(isNamed ? words.slice(1) : words, world)
  } catch (error) {
    const code = exitCodeOf(error)
    if (code === null) throw error
    // A reader that closes the pipe early needs no message.
    if (error instanceof Error && 'code' in error && error.code === 'EPIPE') return code
    // Node has no words for it.
    if (codeOf(error) === 'EDQUOT') return tell('EDQUOT: the disk quota is used up', code, world)
    return tell(messageOf(error), code, world)
  }
}

/** A pipe that nobody reads holds a line back, and the process with it: the exit code is told all the same. */
async function tell(message: string, code: number, { terminal, exit }: World): Promise<number> {
  let timer: NodeJS.Timeout | undefined
  const isWritten = new Promise<true>((resolve) =>
    terminal.err.write(`voicestream: ${message}\n`, () => resolve(true)),
  )
  const isStuck = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), limits.logDrainMsMax)
  })
  if (!(await Promise.race([isWritten, isStuck]))) exit(code)
  clearTimeout(timer)
  return code
}

async function overview(): Promise<string> {
  const { helpText } = await import('../config/config.js')
  const width = Math.max(...Object.keys(commands).map((name) => name.length))
  const rows = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`)
  return [
    'VoiceStream receives and stores the packets of live calls, and analyses every finished call.',
    '',
    'Usage: voicestream [command] [options]',
    '',
    ...rows,
    '',
    'voicestream COMMAND --help shows the options, exit codes and examples of a command; --version shows the version.',
    '',
    helpText(),
  ].join('\n')
}
