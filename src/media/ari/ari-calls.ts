/** Which of an Asterisk's calls are listened to, and what is said of one. Pure. */
import { limits } from '../../limits.js'
import type { CallId } from '../../protocol/call-id.js'
import type { StartBody } from '../../protocol/media.js'
import { muLaw8k } from '../codecs.js'
import type { AriChannel } from './ari-messages.js'

export interface TapOptions {
  /** Of the section of websocket_client.conf that leads to us. */
  readonly mediaClient: string
  /** Only calls that begin in one of these contexts; all, where there is none. */
  readonly contexts: readonly string[]
  /** Of 100 calls so many are listened to. */
  readonly share: number
}

const wholeShare = 100

export function isWanted(
  { contexts, share }: TapOptions,
  callId: CallId,
  members: readonly AriChannel[],
): boolean {
  if (contexts.length > 0 && !members.some(({ context }) => contexts.includes(context))) return false
  // By the call's own id, so that both phones, and a service that comes later, decide alike.
  const number = Number.parseInt(callId.replace(/[^0-9a-f]/g, '').slice(0, 8) || '0', 16)
  return number % wholeShare < share
}

export function descriptionOf(
  members: readonly AriChannel[],
  sideOf: (channel: AriChannel) => 'caller' | 'callee',
): StartBody {
  const caller = members.find((channel) => sideOf(channel) === 'caller')
  const callee = members.find((channel) => sideOf(channel) === 'callee')
  const callerText = caller === undefined ? undefined : named(partyText(caller))
  const calleeText = named(caller?.connected.number || callee?.extension)
  return {
    media: muLaw8k,
    ...(callerText === undefined ? {} : { caller: callerText }),
    ...(calleeText === undefined ? {} : { callee: calleeText }),
    metadata: labelsOf([
      ...members.map((channel) => [`channel_${sideOf(channel)}`, channel.name] as const),
      ['context', caller?.context ?? ''],
    ]),
  }
}

function named(text: string | undefined): string | undefined {
  return text === undefined || text === '' ? undefined : text.slice(0, limits.detailCharactersMax)
}

function partyText({ caller: { name, number } }: AriChannel): string {
  if (name === '' || name === number) return number
  return number === '' ? name : `${name} <${number}>`
}

function labelsOf(labels: readonly (readonly [name: string, value: string])[]): Record<string, string> {
  const said = labels.filter(([, value]) => value !== '')
  return Object.fromEntries(said.map(([name, value]) => [name, value.slice(0, limits.metadataCharactersMax)]))
}
