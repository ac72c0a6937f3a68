/** `voicestream export` beside a running service: the audio sample by sample, and packets that can be posted again. */
import assert from 'node:assert/strict'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { decodeG711 } from '../../src/audio/g711.js'
import { parseWav } from '../../src/audio/wav-file.js'
import { cutPackets } from '../../src/simulate/packets.js'
import { bulkLines, numbers, postLines, runCommand, runProgram } from '../support/command.js'
import { get, packet, post, type Service, startService, temporaryFolder } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'

const example = parseWav(readFileSync('examples/support-call.wav'))
const packets = cutPackets(example)
/** One at the start, one alone, a range, two at the end: the last packet is shorter than the others. */
const lost = new Set([0, 7, ...numbers(100, 160), packets.length - 2, packets.length - 1])

/** What must come out: the file, with silence where packets are lost. */
const expected = (() => {
  const samples = Buffer.alloc(packets.length * 160, 0xff)
  for (const { sequence, data } of packets)
    if (!lost.has(sequence)) Buffer.from(data, 'base64').copy(samples, sequence * 160)
  return samples
})()

/** Once for a service. */
const spoken = new Map<Service, Promise<void>>()

function sendSpeech(service: Service): Promise<void> {
  const sent = spoken.get(service) ?? speak(service)
  spoken.set(service, sent)
  return sent
}

async function speak(service: Service): Promise<void> {
  const sequences = packets.map(({ sequence }) => sequence).filter((sequence) => !lost.has(sequence))
  // The second half first, so that packets are late, and runs overlap.
  const order = [...sequences.slice(900), ...sequences.slice(0, 900)]
  await post(service, '/v1/call/start/speech', { media: { encoding: 'mulaw' } })
  await postLines(
    service,
    bulkLines('speech', order, (sequence) => packets[sequence]?.data ?? ''),
  )
  await post(service, '/v1/call/complete/speech', { total_packets: packets.length })
}

describe('export', () => {
  const shared = suiteService()

  test('writes the samples that arrived, and silence where none did', async (t) => {
    const service = shared()
    await sendSpeech(service)
    const words = ['export', 'speech', '--data-dir', service.dataDir]
    const piped = await runProgram(words)
    assert.deepEqual([piped.code, piped.err], [0, ''])
    const wav = parseWav(piped.out)
    assert.deepEqual([wav.encoding, wav.sampleRate, wav.channels], ['mulaw', 8000, 1])
    assert.equal(wav.frames.length, expected.length)
    assert(wav.frames.equals(expected))
    assert.equal(piped.out.readUInt32LE(4), piped.out.length - 8, 'the size is right in a pipe, too')

    const file = join(temporaryFolder(t), 'speech.wav')
    assert.equal((await runCommand([...words, '-o', file])).code, 0)
    assert(readFileSync(file).equals(piped.out))
    assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.equal((await runCommand([...words, '-o', file])).code, 73)
    assert.equal((await runCommand([...words, '-o', file, '--force'])).code, 0)
  })

  test('writes each track by itself, both as channels of one file, and all of them as lines that can be posted again', async () => {
    // Guards against a second track whose samples stand behind those of the first, as if they had been said later.
    const service = shared()
    const lines = [0, 1].flatMap((track) =>
      numbers(0, 10 + track).map((sequence) => ({
        call_id: 'two',
        track,
        sequence,
        data: Buffer.alloc(160, track + 1).toString('base64'),
        timestamp: 1 + sequence,
      })),
    )
    await post(service, '/v1/call/start/two', { media: { encoding: 'mulaw' } })
    await postLines(service, lines.map((line) => JSON.stringify(line)).join('\n'))
    for (const track of [0, 1]) {
      const { code, out } = await runCommand([
        'export',
        'two',
        '--track',
        String(track),
        '--data-dir',
        service.dataDir,
      ])
      assert.equal(code, 0)
      const { frames } = parseWav(out)
      assert.equal(frames.length, numbers(0, 10 + track).length * 160)
      assert(frames.every((byte) => byte === track + 1))
    }
    // Without a track both voices, each in its channel; the longer one goes on alone.
    for (const [options, encoding, bytes] of [
      [[], 'mulaw', 1],
      [['--decode'], 'pcm_s16le', 2],
    ] as const) {
      const both = await runCommand(['export', 'two', '--data-dir', service.dataDir, ...options])
      assert.equal(both.code, 0)
      const wav = parseWav(both.out)
      const packets = numbers(0, 11).length
      assert.deepEqual([wav.encoding, wav.channels], [encoding, 2])
      assert.equal(wav.frames.length, packets * 160 * 2 * bytes)
      const level = (channel: number, frame: number) =>
        bytes === 1
          ? decodeG711('mulaw', wav.frames[frame * 2 + channel] ?? 0)
          : wav.frames.readInt16LE((frame * 2 + channel) * 2)
      for (let frame = 0; frame < packets * 160; frame++) {
        const isAlone = frame >= numbers(0, 10).length * 160
        assert.equal(level(0, frame), isAlone ? 0 : decodeG711('mulaw', 1))
        assert.equal(level(1, frame), decodeG711('mulaw', 2))
      }
    }
    const { out } = await runCommand(['export', 'two', '--format', 'ndjson', '--data-dir', service.dataDir])
    const written = String(out).trim().split('\n')
    assert.deepEqual(
      written.map((line) => JSON.parse(line)).map(({ track = 0, sequence, data }) => [track, sequence, data]),
      lines.map(({ track, sequence, data }) => [track, sequence, data]),
    )
    assert.equal(
      (await runCommand(['export', 'two', '--track', '5', '--data-dir', service.dataDir])).code,
      66,
    )
    assert.equal(
      (await runCommand(['export', 'two', '--track', '9', '--data-dir', service.dataDir])).code,
      64,
    )
  })

  test('takes the id of a call as it is shown, with quotes, slashes and percent signs', async () => {
    const service = shared()
    const ids = ['a%41"/\\b@[::1]', 'aA"/\\b@[::1]']
    for (const [sequence, id] of ids.entries())
      await post(service, `/v1/call/stream/${encodeURIComponent(id)}`, packet(sequence))
    for (const [sequence, id] of ids.entries()) {
      const { code, out } = await runCommand([
        'export',
        id,
        '--format',
        'ndjson',
        '--data-dir',
        service.dataDir,
      ])
      assert.equal(code, 0)
      const line = JSON.parse(String(out).split('\n')[0] ?? '')
      assert.deepEqual([line.call_id, line.sequence], [id, sequence])
    }
    assert.equal((await runCommand(['export', '../x', '--data-dir', service.dataDir])).code, 64)
  })

  test('decodes G.711 for players that do not know it', async () => {
    const service = shared()
    await sendSpeech(service)
    const { out } = await runCommand(['export', 'speech', '--decode', '--data-dir', service.dataDir])
    const { encoding, frames } = parseWav(out)
    assert.equal(encoding, 'pcm_s16le')
    assert.equal(frames.length, expected.length * 2)
    for (const [index, code] of expected.entries())
      assert.equal(frames.readInt16LE(index * 2), decodeG711('mulaw', code) + 0)
  })

  test('writes packets that another service takes, and then has', async (t) => {
    const service = shared()
    await sendSpeech(service)
    const words = ['export', 'speech', '--format', 'ndjson', '--data-dir', service.dataDir]
    const { code, out } = await runCommand(words)
    assert.equal(code, 0)
    const lines = out.toString().trim().split('\n')
    assert.equal(lines.length, packets.length - lost.size)
    const another = await startService(t)
    const half = Math.floor(lines.length / 2)
    const results = [
      await postLines(another, lines.slice(0, half).join('\n')),
      await postLines(another, lines.slice(half).join('\n')),
    ]
    assert.equal(
      results.reduce((sum, { accepted }) => sum + accepted, 0),
      lines.length,
    )
    const pageOf = async (from: Service) =>
      (
        (await get(from, '/v1/call/speech/packets?limit=1000')).body['packets'] as Record<string, unknown>[]
      ).map(({ received_at: _, ...rest }) => rest)
    assert.deepEqual(await pageOf(another), await pageOf(service))
    const members = await get(service, '/v1/call/speech/packets?limit=1')
    const [first] = members.body['packets'] as Record<string, unknown>[]
    assert.deepEqual(JSON.parse(lines[0] ?? ''), { call_id: 'speech', ...first })
  })

  test('refuses what is no audio, a call that is not there, and text of any kind as WAV', async () => {
    const service = shared()
    // Guards against text that happens to be base64, which came out as noise.
    await post(service, '/v1/call/stream/words', packet(0, 'xxxxxxxx'))
    await post(service, '/v1/call/stream/words', packet(1, 'hello there!'))
    const words = ['--data-dir', service.dataDir]
    const isText = await runCommand(['export', 'words', ...words])
    assert.deepEqual([isText.code, isText.out.length], [65, 0])
    assert.match(isText.err, /^voicestream: the call carries text: use --format ndjson.*\n$/)
    const noAudio = await runCommand(['export', 'words', '--encoding', 'mulaw', ...words])
    assert.deepEqual([noAudio.code, noAudio.out.length], [65, 0])
    assert.equal(noAudio.err, 'voicestream: packet 1 is not audio: it is not base64\n')
    const unknown = await runCommand(['export', 'nobody', ...words])
    assert.deepEqual([unknown.code, unknown.err], [66, 'voicestream: call nobody is unknown\n'])
  })

  test('takes what the packets hold from the call’s own media; flags come first', async (t) => {
    // Guards against a call of 16 kHz PCM that is written as mulaw at 8 kHz: noise, of four times its length.
    const service = await startService(t, { settings: { DEFAULT_ENCODING: 'alaw' } })
    const data = Buffer.alloc(640, 1).toString('base64')
    const media = { encoding: 'pcm_s16le', sample_rate: 16_000, channels: 2 }
    await post(service, '/v1/call/start/said', { media })
    await post(service, '/v1/call/start/text', { media: { encoding: 'text', sample_rate: 16_000 } })
    for (const name of ['said', 'unsaid', 'text'])
      await post(service, `/v1/call/stream/${name}`, packet(0, data))
    const formatOf = async (...words: string[]) => {
      const { code, out } = await runCommand(['export', ...words, '--data-dir', service.dataDir])
      assert.equal(code, 0)
      const { encoding, sampleRate, channels, frames } = parseWav(out)
      return [encoding, sampleRate, channels, frames.length]
    }
    assert.deepEqual(await formatOf('said'), ['pcm_s16le', 16_000, 2, 640])
    assert.deepEqual(await formatOf('said', '--rate', '8000'), ['pcm_s16le', 8000, 2, 640])
    assert.deepEqual(await formatOf('said', '--encoding', 'mulaw', '--channels', '1'), [
      'mulaw',
      16_000,
      1,
      640,
    ])
    assert.deepEqual(await formatOf('unsaid'), ['alaw', 8000, 1, 640])
    assert.deepEqual(await formatOf('text', '--encoding', 'mulaw', '--rate', '8000'), ['mulaw', 8000, 1, 640])
  })
})
