/** What a test asks of calls of a real PBX: the calls by their caller, and their audio against what the sockets carried. */
import assert from 'node:assert/strict'
import type { CallView } from '../../src/protocol/call.js'
import type { MediaTally, TalliedSocket } from './media-tally.js'
import { patience } from './patience.js'
import { get, type Service } from './service.js'

export async function callsOf(service: Service): Promise<readonly CallView[]> {
  const { status, body } = await get(service, '/v1/calls?limit=200')
  // A busy machine may be told to ask again.
  if (status === 503) return []
  assert.equal(status, 200, JSON.stringify(body))
  return (body as unknown as { calls: CallView[] }).calls
}

/** Of the calls of this caller, once `done` says so of them. */
export async function callsWhere(
  service: Service,
  done: (calls: readonly CallView[]) => boolean,
  msMax = patience(60_000),
): Promise<readonly CallView[]> {
  const end = performance.now() + msMax
  for (;;) {
    const calls = await callsOf(service)
    if (done(calls)) return calls
    assert(performance.now() < end, JSON.stringify(calls).slice(0, 6000))
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

export async function audioOf(service: Service, callId: string, track: number): Promise<Buffer> {
  const answer = await fetch(`${service.url}/v1/call/${callId}/audio.wav?track=${track}`)
  assert.equal(answer.status, 200, await (answer.ok ? '' : answer.text()))
  const wav = Buffer.from(await answer.arrayBuffer())
  return wav.subarray(wav.indexOf('data') + 8)
}

/** The sockets of a voice, in the order in which they came. */
export function socketsOf(
  { sockets }: MediaTally,
  callId: string,
  leg: string | null,
): readonly TalliedSocket[] {
  return sockets.filter(({ text }) => {
    if (text === '') return false
    const { channel_variables: variables = {} } = JSON.parse(text) as {
      channel_variables?: Record<string, string>
    }
    return variables['CALL_ID'] === callId && variables['LEG'] === leg
  })
}

/** The strongest of the two tones, by Goertzel's filter over mu-law. */
export function toneOf(audio: Buffer): 400 | 500 {
  const samples = [...audio].map((byte) => decoded(byte))
  const power = (hertz: number) => {
    const k = 2 * Math.cos((2 * Math.PI * hertz) / 8000)
    let [one, two] = [0, 0]
    for (const sample of samples) [one, two] = [sample + k * one - two, one]
    return one * one + two * two - k * one * two
  }
  return power(400) > power(500) ? 400 : 500
}

/** ITU-T G.711, mu-law. */
function decoded(byte: number): number {
  const inverted = ~byte & 0xff
  const magnitude = (((inverted & 0x0f) << 3) + 0x84) << ((inverted & 0x70) >> 4)
  return (inverted & 0x80) !== 0 ? 0x84 - magnitude : magnitude - 0x84
}
