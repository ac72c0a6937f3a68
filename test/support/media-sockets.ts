/** Sockets of platforms, their messages, and what the service says of their calls. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { json } from 'node:stream/consumers'
import { WebSocket } from 'ws'
import { get, type Service } from './service.js'

// biome-ignore lint/suspicious/noExplicitAny: the schemas of answers are other tests’; here their figures are looked at.
export type Answer = any

export interface UpgradeOptions {
  readonly protocol?: string
  readonly headers?: Readonly<Record<string, string>>
}

export async function openMedia(
  service: { readonly port: number },
  path: string,
  { protocol, headers = {} }: UpgradeOptions = {},
): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${service.port}${path}`, protocol ?? [], { headers })
  await once(socket, 'open')
  // Whoever is cut off is told so by `close`.
  socket.on('error', () => {})
  return socket
}

export interface Refusal {
  readonly status: number
  readonly detail: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

/** What the upgrade is answered instead of 101. */
export async function refusedMedia(
  service: { readonly port: number },
  path: string,
  { headers = {} }: UpgradeOptions = {},
): Promise<Refusal> {
  const socket = new WebSocket(`ws://127.0.0.1:${service.port}${path}`, { headers })
  socket.on('open', () => socket.emit('error', new Error(`${path} was let in`)))
  const [, answer] = await once(socket, 'unexpected-response', { signal: AbortSignal.timeout(10_000) })
  const body = (await json(answer)) as { detail: string }
  return { status: answer.statusCode, detail: body.detail, headers: answer.headers }
}

/** The code with which the service closes it. */
export async function closeCode(socket: WebSocket): Promise<number> {
  const [code] = (await once(socket, 'close', { signal: AbortSignal.timeout(20_000) })) as [number]
  return code
}

export const twilioCall = 'CA00000000000000000000000000000001'
export const twilioStream = 'MZ00000000000000000000000000000001'
/** 20 ms of μ-law. */
export const silence = Buffer.alloc(160, 0xff).toString('base64')

export const twilioStart = (
  tracks: readonly string[],
  parameters: Readonly<Record<string, string>> = {},
  { call = twilioCall, stream = twilioStream } = {},
): string =>
  JSON.stringify({
    event: 'start',
    sequenceNumber: '1',
    streamSid: stream,
    start: {
      streamSid: stream,
      accountSid: 'AC00000000000000000000000000000001',
      callSid: call,
      tracks,
      customParameters: parameters,
      mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 },
    },
  })

export const twilioMedia = (track: string, number: number, chunk: number, stream = twilioStream): string =>
  JSON.stringify({
    event: 'media',
    sequenceNumber: String(number),
    streamSid: stream,
    media: { track, chunk: String(chunk), timestamp: String(chunk * 20), payload: silence },
  })

export const twilioStop = (number: number, { call = twilioCall, stream = twilioStream } = {}): string =>
  JSON.stringify({
    event: 'stop',
    sequenceNumber: String(number),
    streamSid: stream,
    stop: { accountSid: 'AC00000000000000000000000000000001', callSid: call },
  })

export async function view(
  service: Service,
  id: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  if (Object.keys(headers).length === 0)
    return (await get(service, `/v1/call/${encodeURIComponent(id)}`)).body
  const answer = await fetch(`${service.url}/v1/call/${encodeURIComponent(id)}`, { headers })
  return answer.json()
}

export async function until(
  service: Service,
  id: string,
  done: (seen: Answer) => boolean,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const end = performance.now() + 15_000
  for (;;) {
    const seen = await view(service, id, headers)
    if (done(seen)) return seen
    assert(performance.now() < end, JSON.stringify(seen))
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
