// A gateway: plays a WAV file (G.711 mu-law, 8 kHz, mono) as live calls over the native protocol, and loses nothing
// when the service is restarted or the network breaks.
//
//   npm install ws
//   node examples/gateway.mjs examples/support-call.wav --url ws://127.0.0.1:8000 --calls 10
//
// INGEST_TOKEN in the environment is sent as its credential. Try it: kill the service with -9 in the middle, start it again.
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { WebSocket } from 'ws'
import { IngestClient, ingestProtocol } from 'voicestream/ingest'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    url: { type: 'string', default: 'ws://127.0.0.1:8000' },
    calls: { type: 'string', default: '1' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
const [file] = positionals
if (values.help || file === undefined) {
  console.log('Usage: node examples/gateway.mjs FILE.wav [--url ws://HOST:PORT] [--calls N]')
  process.exit(values.help ? 0 : 64)
}

// What it plays: bytes behind the chunk named `data`.
const wav = readFileSync(file)
const audio = wav.subarray(wav.indexOf('data') + 8)
const packetBytes = 160
// Five packets of 20 ms a message: a tenth of a second of delay, and a fifth of the messages.
const blockBytes = 5 * packetBytes
const blockMs = 100

const token = process.env.INGEST_TOKEN
const client = new IngestClient({
  connect: () =>
    new WebSocket(`${values.url}/v1/media/native`, ingestProtocol, {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    }),
  gateway: 'example',
  firstWaitMs: 100,
  longestWaitMs: 2000,
  ringBytes: 16 * 1024 * 1024,
  onStatus: (status) => console.log(status),
  onRefused: ({ stream, code }) => console.log(`stream ${stream} was refused: ${code}`),
})

async function play(callId) {
  const start = { media: { encoding: 'mulaw', sample_rate: 8000, channels: 1 }, queue: 'example' }
  const stream = client.open({ callId, start, packetBytes })
  let dropped = 0
  const beganAt = performance.now()
  for (let at = 0; at + packetBytes <= audio.length; at += blockBytes) {
    const block = audio.subarray(at, Math.min(at + blockBytes, audio.length - (audio.length % packetBytes)))
    // The ring is full: the service has been away for too long. A gateway in earnest would spill to its disk.
    if (!client.send(stream, block)) dropped += block.length / packetBytes
    const dueAt = beganAt + ((at + blockBytes) / blockBytes) * blockMs
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueAt - performance.now())))
  }
  const missing = await client.close(stream)
  console.log(`${callId}: all is on disk, ${missing} packets are missing, ${dropped} did not fit the ring`)
}

const run = Date.now().toString(36)
await Promise.all(Array.from({ length: Number(values.calls) }, (_, index) => play(`gw-${run}-${index}`)))
client.dispose()
