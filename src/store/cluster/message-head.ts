/**
 * The head of a message of the shared log: who wrote it, what calls have become, and what nodes agree on. JSON, because it is
 * seldom more than a few rows; strict, because every node applies it unseen.
 */
import type { CallState } from '../../protocol/call.js'
import { isCallId } from '../../protocol/call-id.js'
import { callStates } from '../../protocol/call-states.js'
import { partitions } from '../partitions.js'
import type { CallRow, LifecycleRow } from '../sqlite/thread-messages.js'
import { UnreadableMessage } from './unreadable-message.js'

/** What nodes say to each other through the log. It acts behind everything else in its message. */
export type Control =
  /** The first message of a run. `reads`: the formats of messages that it can apply. */
  | { readonly kind: 'hello'; readonly reads: readonly number[]; readonly url: string }
  /** The node lives, and its file has been synced through this message. */
  | { readonly kind: 'tick'; readonly synced: number }
  /** On the subject of `from`: these partitions of it are the writer's now. */
  | { readonly kind: 'claim'; readonly from: string; readonly partitions: readonly number[] }
  /** On the writer's own subject: these partitions of it are the other node's now. */
  | { readonly kind: 'grant'; readonly to: string; readonly partitions: readonly number[] }
  /** The node ends, and wants no partitions. */
  | { readonly kind: 'leave' }

export interface MessageHead {
  /** `<run>.<n>`: what the log stores once. */
  readonly id: string
  readonly node: string
  /** One life of the node's process. */
  readonly run: string
  readonly calls: readonly CallRow[]
  readonly lifecycle: readonly LifecycleRow[]
  /** Keys of calls that are erased, before anything else of the message is applied. */
  readonly erasures: readonly number[]
  readonly control: readonly Control[]
}

type Check = (value: unknown) => boolean

const nodeName = /^[a-z0-9][a-z0-9-]{0,31}$/
const messageId = /^[A-Za-z0-9_-]{1,32}\.[0-9]{1,16}$/
const runName = /^[A-Za-z0-9_-]{1,32}$/
const urlCharactersMax = 2048
const versionMax = 2 ** 32 - 1
const formatsMax = 16

export function isNodeName(text: string): boolean {
  return nodeName.test(text) && text !== 'none'
}

const isText: Check = (value) => typeof value === 'string'
const isBoolean: Check = (value) => typeof value === 'boolean'
const isTime: Check = (value) => Number.isFinite(value)
const isNatural: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0
const isKey: Check = (value) => isNatural(value) && value !== 0
const isVersion: Check = (value) => isNatural(value) && (value as number) <= versionMax
const isPartition: Check = (value) => isNatural(value) && (value as number) < partitions
const isNode: Check = (value) => isText(value) && isNodeName(value as string)
/** A partition that nobody has is claimed from `none`. */
const isOwner: Check = (value) => value === 'none' || isNode(value)
const isState: Check = (value) => callStates.includes(value as CallState)
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value)
const matches =
  (pattern: RegExp): Check =>
  (value) =>
    isText(value) && pattern.test(value as string)
const listOf =
  (check: Check, most = Number.POSITIVE_INFINITY): Check =>
  (value) =>
    Array.isArray(value) && value.length <= most && value.every(check)

/** Exactly these members. */
function shape(members: Readonly<Record<string, Check>>): Check {
  const checks = Object.entries(members)
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
    const found = value as Record<string, unknown>
    return (
      Object.keys(found).length === checks.length &&
      checks.every(([name, check]) => Object.hasOwn(found, name) && check(found[name]))
    )
  }
}

const isSnapshot = shape({
  state: isState,
  createdAt: isTime,
  dueAt: orNull(isTime),
  endedAt: orNull(isTime),
  isSettled: isBoolean,
  body: isText,
})
const isPartitionList = listOf(isPartition, partitions)
const is =
  (word: string): Check =>
  (value) =>
    value === word
const controls: Readonly<Record<Control['kind'], Check>> = {
  hello: shape({
    kind: is('hello'),
    reads: listOf(isNatural, formatsMax),
    url: (value) => isText(value) && (value as string).length <= urlCharactersMax,
  }),
  tick: shape({ kind: is('tick'), synced: isNatural }),
  claim: shape({ kind: is('claim'), from: isOwner, partitions: isPartitionList }),
  grant: shape({ kind: is('grant'), to: isNode, partitions: isPartitionList }),
  leave: shape({ kind: is('leave') }),
}
const isControl: Check = (value) => Object.values(controls).some((check) => check(value))

const members: Readonly<Record<keyof MessageHead, Check>> = {
  id: matches(messageId),
  node: isNode,
  run: matches(runName),
  calls: listOf(
    shape({
      key: isKey,
      callId: (value) => isText(value) && isCallId(value as string),
      version: isVersion,
      snapshot: isSnapshot,
    }),
  ),
  lifecycle: listOf(
    shape({ callKey: isKey, version: isVersion, type: isText, entry: isText, text: orNull(isText) }),
  ),
  erasures: listOf(isKey),
  control: listOf(isControl),
}

export function encodeHead({ id, node, run, calls, lifecycle, erasures, control }: MessageHead): Buffer {
  return Buffer.from(JSON.stringify({ id, node, run, calls, lifecycle, erasures, control }))
}

export function decodeHead(bytes: Buffer): MessageHead {
  const head = parsed(bytes)
  for (const [name, check] of Object.entries(members))
    if (!Object.hasOwn(head, name) || !check(head[name]))
      throw new UnreadableMessage(`its head has no valid ${name}`)
  const stranger = Object.keys(head).find((name) => !Object.hasOwn(members, name))
  if (stranger !== undefined) throw new UnreadableMessage(`its head has a member that no version knows`)
  // Each member has been checked above.
  return head as unknown as MessageHead
}

function parsed(bytes: Buffer): Record<string, unknown> {
  let head: unknown
  try {
    head = JSON.parse(bytes.toString())
  } catch {
    // The reason quotes the text, which may be somebody's words.
    throw new UnreadableMessage('its head is not JSON')
  }
  if (typeof head !== 'object' || head === null || Array.isArray(head))
    throw new UnreadableMessage('its head is not an object')
  return head as Record<string, unknown>
}
