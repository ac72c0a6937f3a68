/**
 * The configuration. Precedence: flags, environment, `.env`, defaults. An unknown or bad setting stops the start with one
 * line that names it and the reason.
 */
import { parseEnv } from 'node:util'
import type { Static, TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { quoted, shortened } from '../quoted.js'
import { environmentPrefix, fileOf, isSecret, settings } from './settings.js'

type Settings = { -readonly [Key in keyof typeof settings]: Static<(typeof settings)[Key]> }
export type Config = Readonly<Settings>

export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

export interface ConfigSources {
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Text of the `.env` file, or null where there is none. */
  readonly dotEnv: string | null
}

/** The settings that differ from the defaults, safe to print: a secret, or a URL with a password, is shown as `set`. */
export function printable(config: Config): Record<string, unknown> {
  const isChanged = ([key, value]: readonly [string, unknown]) =>
    value !== (settings[key as keyof typeof settings] as { readonly default?: unknown }).default
  const isHidden = (key: string, value: unknown) =>
    (isSecret(key) && value !== '') || (key.endsWith('_URL') && String(value).includes('@'))
  return Object.fromEntries(
    Object.entries(config)
      .filter(isChanged)
      .map(([key, value]) => [key, isHidden(key, value) ? 'set' : value]),
  )
}

/** Reads every setting and checks that they fit each other. Throws `ConfigError`. */
export function readConfig(sources: ConfigSources): Config {
  const config = readSettings(sources, Object.keys(settings) as (keyof Config)[])
  if (config.AI_SIMULATED_LATENCY_MIN_MS > config.AI_SIMULATED_LATENCY_MAX_MS)
    throw new ConfigError('AI_SIMULATED_LATENCY_MIN_MS is greater than AI_SIMULATED_LATENCY_MAX_MS')
  return config
}

/** Reads only `keys`, the settings of a command. A bad value of another setting is ignored; an unknown setting is refused. Throws `ConfigError`. */
export function readSettings<Key extends keyof Config>(
  { args, environment, dotEnv }: ConfigSources,
  keys: readonly Key[],
): Pick<Config, Key> {
  const texts = new Map<string, { text: string; source: string }>()
  if (dotEnv !== null)
    addEnvironment(texts, parseEnv(dotEnv.replace(/^\ufeff/, '')) as Record<string, string>, '.env')
  addEnvironment(texts, environment, 'environment')
  addFlags(texts, args)

  return Object.fromEntries(
    keys.map((key) => [key, readSetting(key, settings[key], texts.get(key))]),
  ) as Pick<Settings, Key>
}

type Texts = Map<string, { text: string; source: string }>

function addEnvironment(
  texts: Texts,
  variables: Readonly<Record<string, string | undefined>>,
  source: string,
): void {
  for (const [name, text] of Object.entries(variables)) {
    if (!name.startsWith(environmentPrefix) || text === undefined) continue
    const key = name.slice(environmentPrefix.length)
    if (!Object.hasOwn(settings, key)) throw new ConfigError(`unknown setting ${shortened(name)} (${source})`)
    texts.set(key, { text, source: `${name} (${source})` })
  }
}

function addFlags(texts: Texts, args: readonly string[]): void {
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string
    const [, name, inline] = /^--([a-z][a-z-]*)(?:=(.*))?$/s.exec(arg) ?? []
    const key = name?.replaceAll('-', '_').toUpperCase()
    // The text behind = may be a token, so it is never shown.
    if (key === undefined || !Object.hasOwn(settings, key))
      throw new ConfigError(`unknown flag ${shortened(arg.split('=', 1)[0] ?? '')}; see --help`)
    if (isSecret(key))
      throw new ConfigError(
        `--${name} would show the secret to every user of this machine: use ${environmentPrefix}${key} or ${fileOf(key)}`,
      )
    const text = inline ?? args[++i]
    if (text === undefined) throw new ConfigError(`--${name} needs a value`)
    texts.set(key, { text, source: `--${name}` })
  }
}

function readSetting(
  key: string,
  schema: TSchema,
  given: { text: string; source: string } | undefined,
): unknown {
  const { type, description, ...bounds } = schema as TSchema & {
    type?: string
    description: string
    default: unknown
  }
  if (given === undefined) return bounds.default
  const { text, source } = given
  const isNumeric = type === 'integer' || type === 'number'
  const isBoolean = type === 'boolean' && (text === 'true' || text === 'false')
  const value = isNumeric && /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : isBoolean ? text === 'true' : text
  if (Compile(schema).Check(value)) return value
  throw new ConfigError(`${source}: ${quoted(text)} is not allowed for ${key}; ${boundsOf(schema)}`)
}

function boundsOf(schema: TSchema): string {
  const { type, minimum, maximum, anyOf, const: only } = schema as TSchema & Record<string, unknown>
  if (type === 'integer' || type === 'number')
    return `expected ${type === 'integer' ? 'an integer' : 'a number'} from ${minimum} to ${maximum}`
  if (type === 'boolean') return 'expected true or false'
  if (Array.isArray(anyOf))
    return `expected one of ${anyOf.map((choice: { const: string }) => choice.const).join(', ')}`
  return only === undefined ? 'expected text' : `expected ${String(only)}`
}

export function helpText(): string {
  const described = settings as unknown as Record<string, { description: string; default: unknown }>
  const rows = Object.entries(described).map(([key, { description, default: value }]) => {
    return {
      flag: isSecret(key) ? environmentPrefix + key : `--${key.toLowerCase().replaceAll('_', '-')}`,
      variable: environmentPrefix + key,
      text: `${description} Default: ${value === '' ? 'none' : value}`,
    }
  })
  const width = Math.max(...rows.map(({ flag }) => flag.length))
  return [
    'Usage: voicestream serve [--setting value …]',
    '',
    'Receives and stores the packets of live calls, and analyses every finished call.',
    '',
    'Precedence: flags, environment, .env, defaults.',
    `The variable of --port is ${environmentPrefix}PORT, and so on.`,
    '',
    ...rows.map(({ flag, text }) => `  ${flag.padEnd(width)}  ${text}`),
    '',
    'Exit codes: 0 stopped, 1 cannot start, 74 the store failed while running (start it again), 78 bad configuration.',
    '',
    'Examples',
    '  voicestream serve --port 9000 --data-dir /var/lib/voicestream',
    `  ${environmentPrefix}GRACE_PERIOD_MS=5000 voicestream serve`,
    '',
  ].join('\n')
}
