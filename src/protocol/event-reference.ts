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
know. Events are told after the commit that contains them, in commit order. A \`position\` is a short token, opaque to
clients. Times are RFC 3339, UTC, with milliseconds.

| Parameter | |
| --- | --- |
| \`since\` | Resume: exactly the events after this position, then live, without a gap or a repeat. Empty: from now. \`snapshot\`: the picture of the current calls first. Take the position of the last message that you have handled, of whatever kind. |
| \`call\` | Only these calls, separated by commas, at most 100. |
| \`event\` | Only these events of calls, separated by commas. |
| \`state\` | Only calls in these states, separated by commas; a change of state is told when either side of it is named. |
| \`view\` | \`events\` (default), or \`floor\`: rows and totals, conflated, at most 4 messages a second. The floor takes no \`since\` and no filters. |

A parameter that is not understood is answered 400 before the upgrade.

Without \`since\` and \`view=floor\` a socket carries the events of calls from now on and nothing else. With either, the
messages of the stream come too, in this order:

- \`hello\`, the missed events, \`live\`, then events as they happen;
- or \`reset\`, \`snapshot\` parts with the events of the meantime between them, \`live\`, then events as they happen;
- with \`view=floor\`: \`hello\`, \`snapshot\` parts with \`floor\` messages between them, \`live\`, then \`floor\` messages;
- and a \`heartbeat\` whenever nothing else was sent for 5 s. A client that hears nothing for 12 s should connect again.

A restart of the service begins a new epoch: positions from before it are answered \`reset\` with \`other_epoch\`, because
what was told last before a crash can no longer be known exactly. A client that was cut off within a snapshot has half
a picture and asks with \`since=snapshot\` again. What a client sends is ignored.

Figures in events and rows are absolute: whoever applies what comes in order has the account of each call. One figure
moves without an event: a completion may make \`missing_count\` rise by the lost tail. Rows have it at once, events with
the next packet of the call.`
