/** The words behind a command: its own flags, and those settings that concern it. */
import { type ParseArgsConfig, parseArgs } from 'node:util'
import { readSettings } from '../config/config.js'
import { shortened } from '../quoted.js'
import { CommandError, exitCodes } from './exit-codes.js'
import type { World } from './world.js'

type Flags = NonNullable<ParseArgsConfig['options']>
type Words<T extends Flags> = ReturnType<
  typeof parseArgs<{ args: string[]; options: T; allowPositionals: true }>
>

/** Throws a `CommandError` that names the word which is wrong. */
export function readWords<const T extends Flags>(words: readonly string[], flags: T): Words<T> {
  try {
    return parseArgs({ args: [...words], options: flags, allowPositionals: true })
  } catch (error) {
    // Node adds advice about positional arguments that start with a dash, which nobody needs here.
    const fact = error instanceof Error ? (error.message.split('. ')[0] ?? '') : String(error)
    throw usage(fact, error)
  }
}

/** `DATA_DIR` by its flag, its variable, `.env` or its default, as the service reads it. */
export function readDataDir(flag: string | undefined, world: World): string {
  const args = flag === undefined ? [] : [`--data-dir=${flag}`]
  const { environment } = world
  return readSettings({ args, environment, dotEnv: world.readDotEnv() }, ['DATA_DIR']).DATA_DIR
}

/** Of Node a fact quotes a word whole, however long it is. */
const factCharactersMax = 400

export function usage(fact: string, cause?: unknown): CommandError {
  return new CommandError(exitCodes.usage, `${shortened(fact, factCharactersMax)}; see --help`, cause)
}
