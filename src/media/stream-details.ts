/**
 * What a platform says of a call beside its audio, within the bounds of a start. Too much is cut and told, and never refused:
 * a long parameter must not cost a call.
 */
import { limits } from '../limits.js'
import type { StartBody } from '../protocol/media.js'
import { isObject } from './json-text.js'

export interface StreamDetails {
  /** Named by the parameter `voicestream.call_id`. */
  readonly call: string | null
  /** The parameter `token` or `voicestream.token`. */
  readonly token: string | null
  readonly details: Omit<StartBody, 'media'>
  readonly warnings: readonly string[]
}

export interface Said {
  readonly caller?: string | null
  readonly callee?: string | null
  readonly direction?: string | null
  /** Custom parameters, headers, variables: whatever has a name. */
  readonly labels?: Iterable<readonly [name: string, value: unknown]>
}

const ownPrefix = 'voicestream.'
const parties = ['caller', 'callee', 'agent', 'queue'] as const
const forbidden = new Set(['__proto__', 'constructor', 'prototype'])
const nameCharactersMax = 64

export function streamDetails(said: Said): StreamDetails {
  const own = new Map<string, string>()
  const metadata = new Map<string, string>()
  let token: string | null = null
  let left = 0
  let cut = 0
  for (const [name, value] of said.labels ?? []) {
    const text = shownValue(value)
    if (name === 'token' || name === `${ownPrefix}token`) token = text
    else if (name.startsWith(ownPrefix)) own.set(name.slice(ownPrefix.length), text)
    else {
      const label = name.slice(0, nameCharactersMax).replace(/[^A-Za-z0-9._-]/g, '_')
      if (
        label === '' ||
        forbidden.has(label) ||
        (metadata.size >= limits.metadataMax && !metadata.has(label))
      )
        left++
      else {
        if (name.length > nameCharactersMax || text.length > limits.metadataCharactersMax) cut++
        metadata.set(label, shortened(text, limits.metadataCharactersMax))
      }
    }
  }
  const given = (name: (typeof parties)[number]) =>
    partyText(own.get(name) ?? (name === 'caller' ? said.caller : name === 'callee' ? said.callee : null))
  return {
    call: own.get('call_id') || null,
    token: token === '' ? null : token,
    details: {
      ...directionOf(own.get('direction') ?? said.direction),
      ...Object.fromEntries(
        parties.flatMap((name) => {
          const text = given(name)
          return text === null ? [] : [[name, text]]
        }),
      ),
      ...(metadata.size === 0 ? {} : { metadata: Object.fromEntries(metadata) }),
    },
    warnings: [
      ...(left === 0 ? [] : [`${left} parameters were left out: at most ${limits.metadataMax} are kept`]),
      ...(cut === 0 ? [] : [`${cut} parameters were cut to ${limits.metadataCharactersMax} characters`]),
    ],
  }
}

function directionOf(text: string | null | undefined): Pick<StartBody, 'direction'> {
  const direction = text?.toLowerCase()
  return direction === 'inbound' || direction === 'outbound' || direction === 'internal' ? { direction } : {}
}

/** Without characters that no name has; null where nothing is left. */
function partyText(text: string | null | undefined): string | null {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a party's name may not have.
  const clean = text?.replace(/[\u0000-\u001f\u007f]/g, '').trim()
  return clean ? shortened(clean, limits.detailCharactersMax) : null
}

/** Not through the middle of a surrogate pair, and without half ones that came in. */
function shortened(text: string, most: number): string {
  return text
    .slice(0, most)
    .replace(/[\ud800-\udbff]$/, '')
    .replace(/\p{Surrogate}/gu, '\ufffd')
}

const depthMax = 8

function shownValue(value: unknown): string {
  if (typeof value === 'string') return value
  if (value === undefined || isDeeper(value, depthMax)) return ''
  return JSON.stringify(value)
}

/** Text that nests by the thousands would end the stack of whoever writes it again. */
function isDeeper(value: unknown, most: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (most === 0) return true
  const members = isObject(value) ? Object.values(value) : (value as unknown[])
  return members.some((member) => isDeeper(member, most - 1))
}
