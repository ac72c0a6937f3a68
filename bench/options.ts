/** The words after the command. Pure. */
import { tmpdir } from 'node:os'
import { parseArgs } from 'node:util'

export interface Options {
  readonly asked: 'run' | 'list' | 'help'
  /** Null for all. */
  readonly only: readonly string[] | null
  readonly rounds: number
  readonly seconds: number
  readonly isQuick: boolean
  readonly dir: string
  /** Null for `bench/results`. */
  readonly out: string | null
  readonly prefill: number
}

export class UsageError extends Error {}

export const helpText = `Measures VoiceStream as it is delivered, next to a bare handler in the same run.

Usage: npm run bench [-- --flag value …]

  --only NAME,…   these scenarios, at their full length
  --quick         short runs and smaller numbers; without --only that is the default
  --full          full length (a minute of open loop, …) without --only, too
  --rounds N      alternating rounds, of which medians are taken (5)
  --seconds S     of one measurement at saturation (8; quick: 3)
  --prefill N     packets stored before the headline figures (1000000)
  --dir FOLDER    where the databases lie: on a real disk (the system's temporary folder)
  --out FOLDER    where latest.json and latest.html go (bench/results)
  --list          the scenarios
  --help          this

Everything that was started or written is ended and removed at the end. The exit code is 1 when the latency gate or a
scenario fails; targets that are missed are only named.
`

const flags = {
  only: { type: 'string' },
  quick: { type: 'boolean', default: false },
  full: { type: 'boolean', default: false },
  rounds: { type: 'string' },
  seconds: { type: 'string' },
  prefill: { type: 'string' },
  dir: { type: 'string' },
  out: { type: 'string' },
  list: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const

function wholeNumber(name: string, text: string | undefined, otherwise: number): number {
  const value = text === undefined ? otherwise : Number(text)
  if (!Number.isInteger(value) || value < 1)
    throw new UsageError(`--${name} wants a whole number above 0, not ${text}`)
  return value
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: flags }).values
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause })
  }
}

/** Throws `UsageError`. */
export function readOptions(args: readonly string[], names: readonly string[]): Options {
  const values = parse(args)
  const only = values.only?.split(',') ?? null
  const unknown = only?.find((name) => !names.includes(name))
  if (unknown !== undefined)
    throw new UsageError(`there is no scenario ${unknown}; there are ${names.join(', ')}`)
  if (values.quick && values.full) throw new UsageError('--quick and --full exclude each other')
  const isQuick = values.quick || (only === null && !values.full)
  return {
    asked: values.help ? 'help' : values.list ? 'list' : 'run',
    only,
    rounds: wholeNumber('rounds', values.rounds, 5),
    seconds: wholeNumber('seconds', values.seconds, isQuick ? 3 : 8),
    isQuick,
    dir: values.dir ?? tmpdir(),
    out: values.out ?? null,
    prefill: wholeNumber('prefill', values.prefill, 1_000_000),
  }
}
