/** `docs/events.md`, out of the schemas: `npm run docs` writes it, and a test holds it to them. */
import type { TSchema } from 'typebox'
import { closeCodeMeanings } from './close-codes.js'
import { eventSchemas } from './event.js'
import { feedSchemas } from './feed.js'
import { CallRow, FloorTotals } from './floor.js'

/** What of a JSON schema is written out. */
interface Shape {
  readonly $id?: string
  readonly type?: string
  readonly const?: unknown
  readonly format?: string
  readonly description?: string
  readonly anyOf?: readonly Shape[]
  readonly items?: Shape
  readonly properties?: Readonly<Record<string, Shape>>
}

export function eventReference(): string {
  return [
    introduction,
    '## Events of calls',
    ...eventSchemas.map((schema) => section(schema)),
    '## Messages of the stream',
    ...feedSchemas.map((schema) => section(schema)),
    '## A row',
    table(CallRow),
    '## Totals',
    table(FloorTotals),
    '## Close codes',
    closeCodeTable(),
  ]
    .join('\n\n')
    .concat('\n')
}

function section(schema: TSchema): string {
  const { $id, description } = schema as Shape
  return [`### \`${$id}\``, ...(description === undefined ? [] : [description]), table(schema)].join('\n\n')
}

function table(schema: TSchema): string {
  const lines = Object.entries((schema as Shape).properties ?? {}).flatMap(([name, member]) =>
    linesOf(name, member),
  )
  return ['| Member | Type | |', '| --- | --- | --- |', ...lines].join('\n')
}

function linesOf(name: string, member: Shape): readonly string[] {
  const line = `| \`${name}\` | ${typeOf(member)} | ${member.description ?? ''} |`
  const inner = member.$id === undefined ? Object.entries(member.properties ?? {}) : []
  return [line, ...inner.flatMap(([innerName, of]) => linesOf(`${name}.${innerName}`, of))]
}

function typeOf(shape: Shape): string {
  if (shape.const !== undefined) return `\`"${shape.const}"\``
  if (shape.anyOf !== undefined) return shape.anyOf.map(typeOf).join(' or ')
  if (shape.$id !== undefined && shape.$id in linked) return linked[shape.$id] as string
  if (shape.items !== undefined) return `list of ${typeOf(shape.items)}`
  if (shape.format === 'date-time') return 'time'
  return shape.type ?? 'any'
}

/** Named schemas that have a section of their own. */
const linked: Readonly<Record<string, string>> = {
  call_row: '[row](#a-row)',
  FloorTotals: '[totals](#totals)',
}

function closeCodeTable(): string {
  const lines = Object.entries(closeCodeMeanings).map(
    ([code, { when, reaction }]) => `| ${code} | ${when} | ${reaction} |`,
  )
  return ['| Code | When | What to do |', '| --- | --- | --- |', ...lines].join('\n')
}

const introduction = `# Events

<!-- Written by \`npm run docs\` from src/protocol. Do not edit. -->

\`/ws/supervisor\` carries one JSON object a message. \`event\` names its kind; ignore kinds and members that you do not
know. Events are sent after the commit that contains them, in commit order. A \`position\` is a short token, opaque to
clients. Times are RFC 3339, UTC, with milliseconds.

| Parameter | |
| --- | --- |
| \`since\` | Resume: exactly the events after this position, then live, without a gap or a repeat. Empty: from now. \`snapshot\`: the current calls first. Use the position of the last message that you handled, of any kind. |
| \`call\` | Only these calls, separated by commas, at most 100. |
| \`event\` | Only these events of calls, separated by commas. |
| \`state\` | Only calls in these states, separated by commas. A change of state is sent if its old or its new state is listed. |
| \`view\` | \`events\` (default), or \`floor\`: rows and totals, conflated, at most 4 messages a second. \`floor\` allows neither \`since\` nor filters. |

An unknown parameter is answered 400 before the upgrade.

Without \`since\` and \`view=floor\` a socket carries only the events of calls from now on. With either, it also carries the
messages of the stream, in this order:

- \`hello\`, the missed events, \`live\`, then events as they happen;
- or \`reset\`, \`snapshot\` parts with the events of the meantime between them, \`live\`, then events as they happen;
- with \`view=floor\`: \`hello\`, \`snapshot\` parts with \`floor\` messages between them, \`live\`, then \`floor\` messages;
- and a \`heartbeat\` whenever nothing else was sent for 5 s. A client that receives nothing for 12 s should reconnect.

A restart of the service begins a new epoch. Earlier positions are answered \`reset\` with \`other_epoch\`, because after a crash
nobody knows exactly which events were sent. A client that was cut off within a snapshot connects with \`since=snapshot\` again.
The service ignores messages of the client.

Figures in events and rows are absolute: a client that applies messages in order has the account of each call. One figure
changes without an event: a completion may raise \`missing_count\` by the lost tail. Rows have it at once, events with
the next packet of the call.`
