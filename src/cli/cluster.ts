/** `voicestream cluster`: the log that several machines share, before anything runs on it. */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { ConfigError } from '../config/config.js'
import { readPrivateFile } from '../config/private-file.js'
import { messageOf } from '../errors.js'
import { quoted } from '../quoted.js'
import {
  Engine,
  EngineError,
  type EngineOptions,
  EngineUnreachable,
} from '../store/cluster/jetstream/engine.js'
import {
  type LogReport,
  type ReportQuestion,
  reportLog,
  reportServers,
} from '../store/cluster/jetstream/log-report.js'
import { createStream, findStream } from '../store/cluster/jetstream/stream.js'
import { formatBytes, formatCount } from '../terminal/numbers.js'
import { renderTable } from '../terminal/table.js'
import { CommandError, exitCodes } from './exit-codes.js'
import { readWords, usage } from './options.js'
import type { World } from './world.js'

export const helpText = `Usage: voicestream cluster init|status --servers URL,… --monitors URL,… [options]

The log that several machines will share, on NATS JetStream (docs/design/cluster.md). The service does not use it yet: these
commands prepare the servers and check them.

  init             make the log, once, on three servers; refused if it is there
  status           check the servers and the log, and show what it holds

  --servers URL,…      NATS servers, like nats://host:4222; tls://host:4222 insists on TLS
  --monitors URL,…     their monitoring addresses, like http://host:8222: only they say whether a server syncs each message
  --trust-sync         do without: acknowledged packets may then be lost in a power cut
  --stream NAME        (VS)
  --max-gib N          size of the log; full, it takes nothing more                        (20; only for init)
  --credentials FILE   credentials as NATS writes them, mode 0600
  --authorities FILE   certificates (PEM) that vouch for the servers
  --json               one JSON document instead of a table                                (only for status)
  --help, -h           show this

Exit codes: 0 done, good, 64 wrong usage, 69 the servers do not answer, 73 the log is there already, 78 the servers or the
log are not as they must be, one line for each fault.

Examples
  voicestream cluster init --servers nats://a:4222,nats://b:4222,nats://c:4222 \\
    --monitors http://a:8222,http://b:8222,http://c:8222
  voicestream cluster status --servers nats://a:4222 --monitors http://a:8222,http://b:8222,http://c:8222
`

const flags = {
  servers: { type: 'string' },
  monitors: { type: 'string', default: '' },
  'trust-sync': { type: 'boolean', default: false },
  stream: { type: 'string', default: 'VS' },
  'max-gib': { type: 'string' },
  credentials: { type: 'string' },
  authorities: { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const

type Values = ReturnType<typeof readWords<typeof flags>>['values']

const gib = 1024 ** 3
const gibMax = 65_536
const gibDefault = 20
/** What NATS takes as a part of a subject, without what would be several, or all. */
const streamPattern = /^[A-Za-z0-9_-]{1,64}$/

export async function cluster(words: readonly string[], { terminal }: World): Promise<number> {
  const { values, positionals } = readWords(words, flags)
  if (values.help) {
    terminal.out.write(helpText)
    return exitCodes.ok
  }
  const [action, ...more] = positionals
  if (more.length > 0 || (action !== 'init' && action !== 'status')) throw usage('give init or status')
  if (action === 'init' && values.json) throw usage('--json is for status')
  if (action === 'status' && values['max-gib'] !== undefined) throw usage('--max-gib is for init')
  const question = readQuestion(values)
  const bytesMax = readGib(values['max-gib']) * gib
  const options = readEngine(values)
  const tell = (text: string) => terminal.out.write(text)
  return withEngine(options, (engine) =>
    action === 'init' ? init(engine, question, bytesMax, tell) : status(engine, question, values.json, tell),
  )
}

/** A part of the servers may be away for a moment, and is not a bug. */
async function withEngine(
  options: EngineOptions,
  work: (engine: Engine) => Promise<number>,
): Promise<number> {
  let engine: Engine | null = null
  try {
    engine = await Engine.connect(options)
    return await work(engine)
  } catch (error) {
    if (error instanceof EngineUnreachable)
      throw new CommandError(exitCodes.unavailable, error.message, error)
    if (error instanceof EngineError)
      throw new CommandError(
        exitCodes.badConfig,
        `the servers refuse it: ${error.message} (${error.code})`,
        error,
      )
    throw error
  } finally {
    await engine?.close()
  }
}

async function init(
  engine: Engine,
  question: ReportQuestion,
  bytesMax: number,
  tell: (text: string) => void,
): Promise<number> {
  const { stream } = question
  if ((await findStream(engine, stream)) !== null)
    throw new CommandError(
      exitCodes.exists,
      `there is a stream ${quoted(stream)} already; nothing was changed`,
    )
  const { faults, warnings } = await reportServers(engine, question)
  if (faults.length > 0) throw new CommandError(exitCodes.badConfig, faults.join('\n'))
  await createStream(engine, { name: stream, base: randomBytes(4).toString('hex'), bytesMax })
  const made = await reportLog(engine, question)
  if (made.faults.length > 0) throw new CommandError(exitCodes.badConfig, made.faults.join('\n'))
  tell([...warnings.map((warning) => `warning: ${warning}`), `${titleOf(made)}: made`, ''].join('\n'))
  return exitCodes.ok
}

async function status(
  engine: Engine,
  question: ReportQuestion,
  asJson: boolean,
  tell: (text: string) => void,
): Promise<number> {
  const report = await reportLog(engine, question)
  tell(asJson ? `${JSON.stringify(jsonOf(report))}\n` : textOf(report))
  return report.faults.length === 0 ? exitCodes.ok : exitCodes.badConfig
}

const titleOf = ({ stream, base }: LogReport) => `log ${stream}${base === '' ? '' : `, base ${base}`}`

/** The shape of `status --json`. */
function jsonOf(report: LogReport) {
  return {
    stream: report.stream,
    base: report.base,
    good: report.faults.length === 0,
    first_sequence: report.first,
    last_sequence: report.last,
    bytes: report.bytes,
    bytes_max: report.bytesMax,
    servers: rowsOf(report),
    faults: report.faults,
    warnings: report.warnings,
  }
}

interface ServerRow {
  readonly name: string
  readonly role: string
  readonly lag: number | null
  readonly version: string | null
  readonly syncs_each: boolean | null
}

/** Each server that has a copy of the log, or was asked. */
function rowsOf({ servers, replicas }: LogReport): ServerRow[] {
  const names = [...new Set([...servers, ...replicas].map(({ name }) => name))].sort()
  return names.map((name) => {
    const server = servers.find((each) => each.name === name)
    const replica = replicas.find((each) => each.name === name)
    const role =
      replica === undefined
        ? 'no copy'
        : !replica.isOnline
          ? 'down'
          : replica.isLeader
            ? 'leader'
            : 'follower'
    return {
      name,
      role,
      lag: replica?.lag ?? null,
      version: server?.version ?? null,
      syncs_each: server?.syncsEach ?? null,
    }
  })
}

function textOf(report: LogReport): string {
  const known = (value: string | number | boolean | null) => (value === null ? '?' : String(value))
  const table = renderTable(
    [
      ...['server', 'copy', 'version', 'syncs each'].map((head) => ({ head, align: 'left' as const })),
      { head: 'behind', align: 'right' as const },
    ],
    rowsOf(report).map(({ name, role, version, syncs_each, lag }) => [
      name,
      role,
      known(version),
      syncs_each === null ? '?' : syncs_each ? 'yes' : 'no',
      lag === null ? '?' : formatCount(lag),
    ]),
  )
  const held =
    report.last < report.first
      ? `no messages, the next is ${formatCount(report.last + 1)}`
      : `messages ${formatCount(report.first)} to ${formatCount(report.last)}`
  return [
    `${titleOf(report)}: ${held}, ${formatBytes(report.bytes)} of ${formatBytes(report.bytesMax)}`,
    table,
    ...report.warnings.map((warning) => `warning: ${warning}`),
    ...report.faults.map((fault) => `fault: ${fault}`),
    ...(report.faults.length === 0 ? ['good: the servers and the log are as they must be'] : []),
    '',
  ].join('\n')
}

function readQuestion({ stream, monitors, 'trust-sync': acceptsUnknownSync }: Values): ReportQuestion {
  if (!streamPattern.test(stream)) throw usage(`--stream ${quoted(stream)} is not letters, digits, - and _`)
  return { stream, monitors: readUrls('--monitors', monitors, ['http:', 'https:']), acceptsUnknownSync }
}

function readEngine({ servers = '', credentials, authorities }: Values): EngineOptions {
  const urls = readUrls('--servers', servers, ['nats:', 'tls:'])
  if (urls.length === 0) throw usage('give --servers')
  // The client compares a certificate with names only.
  const address = urls.find(
    (url) => url.startsWith('tls:') && isIP(new URL(url).hostname.replace(/[[\]]/g, '')) !== 0,
  )
  if (address !== undefined)
    throw usage(`--servers: tls:// needs the name of a host, as in its certificate: ${quoted(address)}`)
  return {
    servers: urls,
    name: 'voicestream cluster',
    ...(credentials === undefined ? {} : { credentials: readPrivateFile('--credentials', credentials) }),
    ...(authorities === undefined ? {} : { authorities: readCertificates(authorities) }),
  }
}

function readUrls(flag: string, text: string, protocols: readonly string[]): string[] {
  const words = text.split(',').map((word) => word.trim())
  return words
    .filter((word) => word !== '')
    .map((word) => {
      const url = URL.canParse(word) ? new URL(word) : null
      const isRight = url !== null && protocols.includes(url.protocol) && url.hostname !== ''
      if (!isRight || url.username !== '' || url.password !== '')
        throw usage(`${flag}: ${quoted(word)} is not like ${protocols[0]}//host:port`)
      return word
    })
}

function readGib(text: string | undefined): number {
  if (text === undefined) return gibDefault
  const value = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (value < 1 || value > gibMax) throw usage(`--max-gib must be an integer from 1 to ${gibMax}`)
  return value
}

function readCertificates(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new ConfigError(`--authorities ${path} cannot be read: ${messageOf(error)}`)
  }
}
