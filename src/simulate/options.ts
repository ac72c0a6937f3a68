/** The command line of the simulated PBX: flags in, checked options out. */
import { parseArgs } from 'node:util'
import { quoted } from '../quoted.js'
import { senders } from './dialects/senders.js'
import { SimulateError } from './errors.js'
import type { ImpairmentRates } from './impairment.js'
import { callIdCharactersMax, callsMax, connectionsMax, speedMax, tracksMax } from './limits.js'
import type { Tokens } from './service-client.js'
import type { Credentials } from './sockets/admission.js'

export interface SimulateOptions {
  readonly file: string
  readonly url: URL
  readonly callCount: number
  readonly tracks: number
  /** Null over HTTP. */
  readonly dialect: string | null
  readonly speed: number
  readonly rates: ImpairmentRates
  /** Of a dialect's sockets, in percent: those that come twice, and those that break. */
  readonly double: number
  readonly drop: number
  readonly audiosocketPort: number
  /** What a platform signs, where it is another than `url`. */
  readonly publicUrl: URL | null
  readonly seed: number
  readonly prefix: string
  readonly connections: number
  readonly graceMs: number
  readonly waitMs: number
  readonly patienceMs: number
  readonly waitsForEnds: boolean
  readonly showsAllCalls: boolean
}

/** A gateway's own protocol, which has no platform. */
export const nativeName = 'native'
export const dialectNames: readonly string[] = [...senders.keys(), nativeName]

export type Command = { kind: 'help' } | { kind: 'simulate'; options: SimulateOptions }

/** In lines of the help, under its second column. */
const foldedNames = dialectNames
  .reduce<string[]>(
    (lines, name) => {
      const line = lines.at(-1) ?? ''
      return line.length + name.length < 48
        ? [...lines.slice(0, -1), line === '' ? name : `${line}, ${name}`]
        : [...lines.slice(0, -1), `${line},`, name]
    },
    [''],
  )
  .join(`\n${' '.repeat(24)}`)

export const helpText = `Plays a WAV file into VoiceStream as a PBX would, many calls at once. Then it compares the service's
account of every call with its own log of the packets that it sent.

  voicestream simulate FILE.wav [options]

FILE.wav is G.711 (mu-law or A-law) or PCM of 8 or 16 bits. It is cut into packets of 20 ms.

  --url URL             the service                                       (http://127.0.0.1:8000)
  --calls N             calls at once                                     (10)
  --tracks N            tracks of each call: the channels of the file, or,
                        of a file with one, different places of it        (1)
  --speed X             up to this multiple of real time                  (1)
  --loss PERCENT        packets that are never sent                       (0)
  --reorder PERCENT     packets held back by 1 to 5 others                (0)
  --duplicate PERCENT   packets sent twice                                (0)
  --late PERCENT        packets sent after the completion                 (0)
  --dialect NAME        the sockets of a platform instead of HTTP:
                        ${foldedNames}
  --double PERCENT      its sockets that come twice at once               (0)
  --drop PERCENT        its sockets that break, and another one follows   (0)
  --audiosocket-port N  the service's AUDIOSOCKET_PORT                    (9092)
  --public-url URL      the service's PUBLIC_URL, if signatures need it   (--url)
  --seed N              the same seed gives the same faults               (random)
  --prefix TEXT         prefix of the call ids; new for every run         (sim-TIME-)
  --connections N       keep-alive connections, and requests in flight    (64)
  --grace MS            the service's GRACE_PERIOD_MS                     (3000)
  --timeout SECONDS     wait this long for the calls to end               (120)
  --retry-for SECONDS   try this long to get a packet answered            (30)
  --no-wait             do not wait for the calls to end
  --all                 show every call, not only the first 20
  --help                show this

With --dialect the audio is sent in that platform's codec, packets and messages. --loss works as well; --reorder,
--duplicate and --late do not, because a socket keeps its order. A platform cannot send anything again: what is lost,
and what is said between two sockets, must be missing in the account, and nothing else.

If the service requires tokens, set SIMULATE_INGEST_TOKEN for sending and SIMULATE_SUPERVISOR_TOKEN for reading. A
platform sends the first one where it can: in the path, in a header, or as a password. Twilio, Plivo and AudioHook sign
instead if SIMULATE_SIGNING_SECRET is set (the auth token, or the client secret; for AudioHook also SIMULATE_API_KEY).
All are environment variables, because every user of the machine can read command lines.

Exit code: 0 every account is exact · 1 an account differs · 2 the options or the file are wrong ·
3 calls did not end in time, or the service was unreachable · 130 interrupted

Examples
  voicestream simulate examples/support-call.wav
  voicestream simulate examples/support-call.wav --calls 50 --loss 2 --reorder 5 --duplicate 2 --speed 10
  voicestream simulate examples/support-call.wav --tracks 2 --loss 2
  voicestream simulate examples/support-call.wav --dialect twilio --loss 1 --double 10 --drop 20
  voicestream simulate examples/support-call.wav --late 3 --seed 7 --url http://10.0.0.5:8000
  SIMULATE_INGEST_TOKEN=… SIMULATE_SUPERVISOR_TOKEN=… voicestream simulate examples/support-call.wav
`

const flags = {
  url: { type: 'string', default: 'http://127.0.0.1:8000' },
  calls: { type: 'string', default: '10' },
  tracks: { type: 'string', default: '1' },
  dialect: { type: 'string' },
  double: { type: 'string', default: '0' },
  drop: { type: 'string', default: '0' },
  'audiosocket-port': { type: 'string', default: '9092' },
  'public-url': { type: 'string' },
  speed: { type: 'string', default: '1' },
  loss: { type: 'string', default: '0' },
  reorder: { type: 'string', default: '0' },
  duplicate: { type: 'string', default: '0' },
  late: { type: 'string', default: '0' },
  seed: { type: 'string' },
  prefix: { type: 'string' },
  connections: { type: 'string', default: '64' },
  grace: { type: 'string', default: '3000' },
  timeout: { type: 'string', default: '120' },
  'retry-for': { type: 'string', default: '30' },
  'no-wait': { type: 'boolean', default: false },
  all: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const

/**
 * Reads the words after the command. `randomSeed` (a 32-bit number) and `wallMs` (Unix time) serve where no seed and
 * no prefix are given. Throws a `SimulateError` with code `usage` that names the option and its allowed values.
 */
export function readCommand(
  words: readonly string[],
  chance: { randomSeed: number; wallMs: number },
): Command {
  const { values, positionals } = parseWords(words)
  if (values.help) return { kind: 'help' }
  const [file, ...more] = positionals
  if (file === undefined) throw usage('no WAV file given')
  if (more.length > 0) throw usage(`give only one WAV file, not ${positionals.length}`)
  const dialect = readDialect(values)
  const callCount = readNumber(values, 'calls', { least: 1, most: callsMax, isWhole: true })
  const options: SimulateOptions = {
    file,
    url: readUrl('url', values.url),
    callCount,
    tracks: readNumber(values, 'tracks', { least: 1, most: tracksMax, isWhole: true }),
    dialect,
    speed: readNumber(values, 'speed', { least: 0.01, most: speedMax }),
    rates: readRates(values),
    double: readNumber(values, 'double', percent),
    drop: readNumber(values, 'drop', percent),
    audiosocketPort: readNumber(values, 'audiosocket-port', { least: 1, most: 65_535, isWhole: true }),
    publicUrl: values['public-url'] === undefined ? null : readUrl('public-url', values['public-url']),
    seed:
      values.seed === undefined
        ? chance.randomSeed
        : readNumber(values, 'seed', { least: 0, most: 2 ** 32 - 1, isWhole: true }),
    prefix: readPrefix(values.prefix ?? `sim-${chance.wallMs.toString(36)}-`, callCount),
    connections: readNumber(values, 'connections', { least: 1, most: connectionsMax, isWhole: true }),
    graceMs: readNumber(values, 'grace', { least: 0, most: 3_600_000 }),
    waitMs: readNumber(values, 'timeout', { least: 0, most: 86_400 }) * 1000,
    patienceMs: readNumber(values, 'retry-for', { least: 0, most: 86_400 }) * 1000,
    waitsForEnds: !values['no-wait'],
    showsAllCalls: values.all,
  }
  return { kind: 'simulate', options }
}

/** Not under the service's prefix: it refuses to start with a variable that it does not know. */
const variables = {
  ingest: 'SIMULATE_INGEST_TOKEN',
  supervisor: 'SIMULATE_SUPERVISOR_TOKEN',
  signingSecret: 'SIMULATE_SIGNING_SECRET',
  apiKey: 'SIMULATE_API_KEY',
} as const

/** Throws `usage`, without the token. */
export function readTokens(
  environment: Readonly<Record<string, string | undefined>>,
): Tokens & Pick<Credentials, 'signingSecret' | 'apiKey'> {
  const read = (name: string) => {
    const token = environment[name] ?? ''
    if (!/^[\x21-\x7e]*$/.test(token)) throw usage(`${name} contains a character that no token has`)
    return token === '' ? null : token
  }
  return {
    ingest: read(variables.ingest),
    supervisor: read(variables.supervisor),
    signingSecret: read(variables.signingSecret),
    apiKey: read(variables.apiKey),
  }
}

const word = '[A-Za-z0-9\\-.!%*_+`\'~()<>:\\\\"/\\[\\]?{}]+'
/** As the contract has it: what RFC 3261 allows, without a part between slashes that a path takes for a way up. */
const callIdPattern = new RegExp(`^${word}(?:@${word})?$`)
const goesUp = /(?:^|\/)\.{1,2}(?:\/|$)/

/** Call ids are numbered with as many digits as the last one needs, so that they sort. */
export function callIdOf(prefix: string, callIndex: number, callCount: number): string {
  return prefix + String(callIndex + 1).padStart(String(callCount).length, '0')
}

function parseWords(words: readonly string[]) {
  try {
    return parseArgs({ args: [...words], options: flags, allowPositionals: true })
  } catch (error) {
    // Node adds advice about positional arguments that start with a dash, which nobody needs here.
    const fact = error instanceof Error ? (error.message.split('. ')[0] ?? '') : String(error)
    throw new SimulateError('usage', fact, error)
  }
}

type Values = ReturnType<typeof parseWords>['values']

function readNumber(
  values: Values,
  name:
    | 'calls'
    | 'tracks'
    | 'speed'
    | 'loss'
    | 'reorder'
    | 'duplicate'
    | 'late'
    | 'double'
    | 'drop'
    | 'audiosocket-port'
    | 'seed'
    | 'connections'
    | 'grace'
    | 'timeout'
    | 'retry-for',
  range: { least: number; most: number; isWhole?: boolean },
): number {
  const text = values[name] ?? ''
  const kind = range.isWhole ? 'a whole number' : 'a number'
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
  const isRight = range.least <= value && value <= range.most && (!range.isWhole || Number.isInteger(value))
  if (!isRight)
    throw usage(`--${name} must be ${kind} from ${range.least} to ${range.most}, not ${quoted(text)}`)
  return value
}

const percent = { least: 0, most: 100 }

function readRates(values: Values): ImpairmentRates {
  const loss = readNumber(values, 'loss', percent)
  const reorder = readNumber(values, 'reorder', percent)
  const duplicate = readNumber(values, 'duplicate', percent)
  const late = readNumber(values, 'late', percent)
  if (loss + reorder + late > 100)
    throw usage(`--loss, --reorder and --late may be 100 percent together, not ${loss + reorder + late}`)
  return { loss, reorder, duplicate, late }
}

/** TLS is for whoever stands before the service; the address that a platform signs may well have it. */
function readUrl(name: 'url' | 'public-url', text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null
  const schemes = name === 'url' ? ['http:'] : ['http:', 'https:']
  if (url === null || !schemes.includes(url.protocol) || url.search + url.hash + url.username !== '')
    throw usage(`--${name} must be like http://127.0.0.1:8000, not ${quoted(text)}`)
  return url
}

/** What one way of sending has and the other has not is refused, so that nobody waits for faults that never come. */
function readDialect(values: Values): string | null {
  const { dialect = null } = values
  if (dialect !== null && !dialectNames.includes(dialect))
    throw usage(`--dialect must be one of ${dialectNames.join(', ')}, not ${quoted(dialect)}`)
  const strange =
    dialect === null ? (['double', 'drop'] as const) : (['reorder', 'duplicate', 'late'] as const)
  for (const name of strange)
    if (values[name] !== '0')
      throw usage(
        dialect === null ? `--${name} is of sockets: give --dialect` : `--${name} is not for --dialect`,
      )
  if (dialect !== null && values.tracks !== '1')
    throw usage('--tracks is not for --dialect: each platform has its own')
  return dialect
}

function readPrefix(prefix: string, callCount: number): string {
  const lengthMax = callIdCharactersMax - String(callCount).length
  const first = callIdOf(prefix, 0, callCount)
  if (!callIdPattern.test(first) || goesUp.test(first) || prefix.length > lengthMax)
    throw usage(
      `--prefix must be at most ${lengthMax} characters with which a SIP Call-ID may begin, not ${quoted(prefix)}`,
    )
  return prefix
}

function usage(fact: string): SimulateError {
  return new SimulateError('usage', fact)
}
