/**
 * Which platform dials, on the path that all may use: by the headers of the upgrade, or by the first text that only one of them sends.
 * What comes before is held. A path of its own is better: a text that some platform changes may then mislead nobody.
 */
import assert from 'node:assert/strict'
import type { Dialect, DialectKind, DialectRequest, MediaEvent } from './dialect.js'
import { audioHookKind, dialectKind, dialectNames } from './dialects.js'
import { HeldMessages } from './held-messages.js'
import { isObject, type JsonObject, objectAt, parseJson, textOf } from './json-text.js'

const subprotocolKinds: ReadonlyMap<string, string> = new Map(
  dialectNames.flatMap((name) =>
    (dialectKind(name)?.subprotocols ?? []).map((subprotocol) => [subprotocol, name]),
  ),
)

export const detectedKind: DialectKind = {
  name: 'detect',
  subprotocols: [...subprotocolKinds.keys()],
  // Those of FreeSWITCH may be 2 MiB, on its own path: here anybody may send, before it is known what.
  messageBytesMax: audioHookKind.messageBytesMax,
  create: (request) => new DetectedDialect(request),
}

class DetectedDialect implements Dialect {
  readonly #request: DialectRequest
  readonly #held = new HeldMessages()
  #dialect: Dialect | null
  #hasText = false

  constructor(request: DialectRequest) {
    this.#request = request
    const name = nameOfRequest(request)
    this.#dialect = name === null ? null : this.#create(name)
  }

  feed(message: Uint8Array, isBinary: boolean): readonly MediaEvent[] {
    if (this.#dialect !== null) return this.#dialect.feed(message, isBinary)
    const name = isBinary ? (this.#hasText ? 'freeswitch' : null) : nameOfText(textOf(message))
    this.#hasText ||= !isBinary
    const hasRoom = this.#held.add(message, isBinary)
    if (name === null && hasRoom) return []
    return this.#choose(name ?? this.#guess())
  }

  closed(isClean: boolean): readonly MediaEvent[] {
    const events = this.#dialect === null && !this.#held.isEmpty ? this.#choose(this.#guess()) : []
    return [...events, ...(this.#dialect?.closed(isClean) ?? [])]
  }

  #choose(name: string): readonly MediaEvent[] {
    const dialect = this.#create(name)
    this.#dialect = dialect
    return this.#held.take().flatMap(({ message, isBinary }) => dialect.feed(message, isBinary))
  }

  /** Of audio without a start. */
  #guess(): string {
    const messages = this.#held.take()
    for (const { message, isBinary } of messages) this.#held.add(message, isBinary)
    const names = messages.flatMap(({ message, isBinary }) => {
      const object = isBinary ? null : parseJson(textOf(message))
      return isObject(object) ? (mediaName(object) ?? []) : []
    })
    return names[0] ?? 'freeswitch'
  }

  #create(name: string): Dialect {
    const kind = dialectKind(name)
    assert(kind !== undefined, `${name} is a dialect`)
    return kind.create(this.#request)
  }
}

function nameOfRequest({ headers }: DialectRequest): string | null {
  if (headers.get('audiohook-session-id')) return 'audiohook'
  const asked = headers.get('sec-websocket-protocol')?.split(',') ?? []
  return asked.map((each) => subprotocolKinds.get(each.trim())).find((name) => name !== undefined) ?? null
}

/** Null for a text that several send. */
export function nameOfText(text: string): string | null {
  if (text.startsWith('MEDIA_START')) return 'asterisk'
  const message = parseJson(text)
  if (!isObject(message)) return null
  const { event, command, version, type } = message
  if ('eventType' in message) return 'bandwidth'
  if (event === 'websocket:connected') return 'vonage'
  if (command === 'connect') return 'sinch'
  if (version === '2' && type === 'open') return 'audiohook'
  const start = objectAt(message, 'start')
  if ('callSid' in start) return 'twilio'
  if ('call_control_id' in start) return 'telnyx'
  if ('callId' in start && 'streamId' in start) return 'plivo'
  if ('call_sid' in start) return 'exotel'
  if ('mediaFormat' in start) return 'voximplant'
  if (event === 'MEDIA_START') return 'asterisk'
  if ('callSid' in message && 'mixType' in message) return 'jambonz'
  return null
}

function mediaName(message: JsonObject): string | null {
  if (message['event'] !== 'media') return null
  if ('streamSid' in message) return 'twilio'
  if ('stream_id' in message) return 'telnyx'
  if ('streamId' in message) return 'plivo'
  if ('stream_sid' in message) return 'exotel'
  return 'voximplant'
}
