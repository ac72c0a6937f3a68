/**
 * The whole way of a call: the simulated PBX plays a file with loss, the service hears it from an OpenAI-shaped server.
 * What must arrive there is computed here, from the file and the simulator's own plan of what it never sends.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { decodeG711 } from '../../src/audio/g711.js'
import { parseWav } from '../../src/audio/wav-file.js'
import type { CallTranscript } from '../../src/protocol/transcript.js'
import { planCall } from '../../src/simulate/impairment.js'
import { cutPackets } from '../../src/simulate/packets.js'
import { runCommand } from '../support/command.js'
import { OpenAiServer } from '../support/openai-server.js'
import { get, startService } from '../support/service.js'
import { SupervisorClient } from '../support/supervisor-client.js'

const file = 'examples/support-call.wav'
const audio = parseWav(readFileSync(file))
const packets = cutPackets(audio)
const framesPerPacket = 160
const seed = 7
const calls = 3

/** The sequences that call n never sends. */
const lostOf = (callIndex: number): ReadonlySet<number> => {
  const rates = { loss: 2, reorder: 5, duplicate: 3, late: 0 }
  return new Set(planCall({ seed, callIndex, packetCount: packets.length, rates }).lost)
}

/** 16 bits a sample, silence where packets are lost; the last packet of the file is shorter, and as long as the others when it is lost. */
function expectedSamples(lost: ReadonlySet<number>): Buffer {
  const parts = packets.map(({ sequence, data }) => {
    if (lost.has(sequence)) return Buffer.alloc(framesPerPacket * 2)
    const codes = Buffer.from(data, 'base64')
    const samples = Buffer.alloc(codes.length * 2)
    for (const [at, code] of codes.entries()) samples.writeInt16LE(decodeG711('mulaw', code), at * 2)
    return samples
  })
  return Buffer.concat(parts)
}

/** The share of the frames of one second that was sent. */
function coverageOf(lost: ReadonlySet<number>, second: number, frames: number): number {
  const [first, end] = [second * 8000, Math.min((second + 1) * 8000, frames)]
  let sent = 0
  for (let frame = first; frame < end; frame++) if (!lost.has(Math.floor(frame / framesPerPacket))) sent++
  return Math.floor((sent / (end - first)) * 10_000) / 10_000
}

test('a file that is played with loss is heard sample by sample, and its transcript says what arrived', async (t) => {
  const server = await OpenAiServer.start()
  t.after(() => server.stop())
  const service = await startService(t, {
    settings: {
      ...server.settings,
      AI_API_KEY: 'key-of-the-test',
      DEFAULT_ENCODING: 'mulaw',
    },
  })
  const supervisor = await SupervisorClient.connect(t, service)
  const words = `simulate ${file} --loss 2 --reorder 5 --duplicate 3 --speed 200 --grace 200 --prefix sim-`
  const { code, out, err } = await runCommand([
    ...words.split(' '),
    ...['--calls', String(calls), '--seed', String(seed), '--url', service.url],
  ])
  assert.equal(code, 0, `every account is exact: ${out}${err}`)
  const ended = () => supervisor.events.flatMap((event) => (event.event === 'ai_completed' ? [event] : []))
  await supervisor.until(() => ended().length === calls)

  for (let callIndex = 0; callIndex < calls; callIndex++) {
    const callId = `sim-${callIndex + 1}`
    const lost = lostOf(callIndex)
    assert(lost.size > 10, 'packets were lost')
    const heard = server.requests.filter(
      ({ file, headers }) =>
        file !== null && String(headers['idempotency-key']).startsWith(`voicestream:${callId}#`),
    )
    assert.equal(heard.length, 1, 'one piece, asked for once')
    const sent = parseWav(heard[0]?.file ?? Buffer.alloc(0))
    assert.deepEqual([sent.encoding, sent.sampleRate, sent.channels], ['pcm_s16le', 8000, 1])
    const expected = expectedSamples(lost)
    assert.equal(sent.frames.length, expected.length)
    assert(sent.frames.equals(expected), 'sample by sample')

    const { body } = await get(service, `/v1/call/${callId}/transcript`)
    const found = body as unknown as CallTranscript
    const frames = expected.length / 2
    const seconds = Math.floor(frames / 8000)
    assert.deepEqual(
      found.segments.map(({ start, end, text, coverage }) => [start, end, text, coverage]),
      Array.from({ length: seconds }, (_, second) => [
        second,
        second + 1,
        `Second ${second}.`,
        coverageOf(lost, second, frames),
      ]),
    )
    const missing = [...lost].reduce((sum) => sum + framesPerPacket, 0)
    assert.equal(found.coverage, Math.floor((1 - missing / frames) * 10_000) / 10_000)
    assert.deepEqual(
      found.requests?.map(({ what, attempt, status }) => [what, attempt, status]),
      [
        ['transcription', 1, 200],
        ['chat', 1, 200],
      ],
    )
    assert.equal(found.sentiment, 'positive')
  }
})
