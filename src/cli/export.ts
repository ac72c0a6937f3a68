/** `voicestream export`: a call as audio or as its packets, out of the database. */
import { createWriteStream, openSync } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type CallAccount, checkAccount } from '../actors/stored-account.js'
import {
  type AudioEncoding,
  type AudioFormat,
  audioEncodings,
  frameBytesOf,
  isAudioEncoding,
} from '../audio/audio-format.js'
import { type G711Law, toLinear } from '../audio/g711.js'
import { linearOf, measureAudio, packetAudio, pieceBytes } from '../audio/packet-audio.js'
import { VoicesAudio, type VoiceTrack } from '../audio/voices-audio.js'
import { wavHeader, wavPadding } from '../audio/wav-file.js'
import { rfc3339 } from '../clock.js'
import { limits } from '../limits.js'
import { type CallId, callIdRule, isCallId } from '../protocol/call-id.js'
import type { Media } from '../protocol/media.js'
import { quoted } from '../quoted.js'
import type { StoredPacket } from '../store/journal.js'
import { dataText } from '../store/packet-page-file.js'
import { databasePath } from '../store/sqlite/files/database.js'
import { SqliteStoredCalls } from '../store/sqlite/reading/sqlite-stored-calls.js'
import type { StoredCallContent } from '../store/stored-calls.js'
import { CommandError, exitCodes } from './exit-codes.js'
import { writeNewFile } from './new-file.js'
import { readDataDir, readWords, usage } from './options.js'
import type { World } from './world.js'

export const helpText = `Usage: voicestream export CALL_ID [options]

Writes a call from the database, read-only, also beside the running service: as WAV, with missing packets as silence of
their length, or as its packets, one JSON object a line, as POST /v1/packets accepts them.

  --format wav|ndjson   (wav)
  --track N             one track as WAV; without it a channel for each voice        (all)
  --encoding NAME       encoding of the packets: mulaw, alaw or pcm_s16le, as base64 (the call’s media)
  --rate HZ             samples a second                                             (the call’s media)
  --channels N          number of interleaved channels                               (the call’s media)
  --decode              write 16-bit PCM, which every player knows, instead of G.711
  --output, -o FILE     the file to write (mode 0600); it must not exist             (standard output)
  --force               replace FILE; never a file of a service’s database
  --data-dir DIR        the folder of the service’s database (VOICESTREAM_DATA_DIR, ./data)
  --help, -h            show this

Exit codes: 0 done, 1 the call is damaged, 64 wrong usage, 65 the packets are not such audio, 66 no such database or
call, 73 FILE already exists, 74 cannot be read or written, 78 bad configuration.

Examples
  voicestream export call_001 --decode -o call_001.wav
  voicestream export call_001 | ffplay -
  voicestream export call_001 --encoding pcm_s16le --rate 16000 -o call_001.wav
  voicestream export call_001 --format ndjson | jq .sequence
  voicestream export call_001 --format ndjson | split -C 4m --filter 'curl -sS --data-binary @- \\
    -H "Content-Type: application/x-ndjson" http://127.0.0.1:8000/v1/packets'
`

const flags = {
  format: { type: 'string', default: 'wav' },
  track: { type: 'string' },
  encoding: { type: 'string' },
  rate: { type: 'string' },
  channels: { type: 'string' },
  decode: { type: 'boolean', default: false },
  output: { type: 'string', short: 'o' },
  force: { type: 'boolean', default: false },
  'data-dir': { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const

const rateMax = 384_000
const channelsMax = 32

export async function exportCall(words: readonly string[], world: World): Promise<number> {
  const { values, positionals } = readWords(words, flags)
  if (values.help) {
    world.terminal.out.write(helpText)
    return exitCodes.ok
  }
  const [callIdText, ...more] = positionals
  if (callIdText === undefined || more.length > 0) throw usage('give one CALL_ID')
  const callId = readCallId(callIdText)
  const asked = readAudioFormat(values)
  const isWav = readChoice('format', values.format, ['wav', 'ndjson']) === 'wav'
  const track = readTrack(values.track)
  if (isWav && values.output === undefined && world.outIsScreen)
    throw usage('audio is not written to a terminal; use -o FILE or a pipe')
  const database = databasePath(readDataDir(values['data-dir'], world))
  const stored = SqliteStoredCalls.open(database)
  try {
    const call = stored.call(callId)
    if (call === null) throw new CommandError(exitCodes.notFound, `call ${callId} is unknown`)
    const tracks = recordedTracks(call, accountOf(call, world), track)
    const chunks = isWav ? await wavOf(call, tracks, asked, values.decode) : linesOf(call)
    await write(chunks, { path: values.output, force: values.force, database }, world)
    return exitCodes.ok
  } finally {
    stored.close()
  }
}

/** As it is shown: nothing is percent-encoded here. */
function readCallId(text: string): CallId {
  if (!isCallId(text)) throw usage(callIdRule)
  return text
}

interface FormatFlags {
  readonly encoding?: string | undefined
  readonly rate?: string | undefined
  readonly channels?: string | undefined
}

function readAudioFormat({ encoding, rate, channels }: FormatFlags): Partial<AudioFormat> {
  return {
    ...(encoding === undefined
      ? {}
      : { encoding: readChoice<AudioEncoding>('encoding', encoding, audioEncodings) }),
    ...(rate === undefined ? {} : { sampleRate: readInteger('rate', rate, rateMax) }),
    ...(channels === undefined ? {} : { channels: readInteger('channels', channels, channelsMax) }),
  }
}

/** Text may happen to be base64, and would be noise as audio. */
function formatOf(
  { encoding, codec, sample_rate, channels }: Media,
  asked: Partial<AudioFormat>,
): AudioFormat {
  const format = { sampleRate: sample_rate, channels, ...asked }
  if (asked.encoding !== undefined) return { ...format, encoding: asked.encoding }
  if (isAudioEncoding(encoding)) return { ...format, encoding }
  if (encoding === 'other')
    throw new CommandError(
      exitCodes.badData,
      `the call carries ${codec ?? 'another codec'}, which is not decoded: use --format ndjson`,
    )
  throw new CommandError(
    exitCodes.badData,
    'the call carries text: use --format ndjson, or --encoding NAME if its packets contain audio',
  )
}

function readChoice<T extends string>(name: string, text: string, choices: readonly T[]): T {
  const choice = choices.find((known) => known === text)
  if (choice === undefined) throw usage(`--${name} must be one of ${choices.join(', ')}, not ${quoted(text)}`)
  return choice
}

/** Null for all of them. */
function readTrack(text: string | undefined): number | null {
  if (text === undefined) return null
  const track = /^\d$/.test(text) ? Number(text) : -1
  if (track >= 0 && track < limits.tracksMax) return track
  throw usage(`--track must be an integer from 0 to ${limits.tracksMax - 1}, not ${quoted(text)}`)
}

function readInteger(name: string, text: string, maximum: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0
  if (value >= 1 && value <= maximum) return value
  throw usage(`--${name} must be an integer from 1 to ${maximum}, not ${quoted(text)}`)
}

/** What is damaged is told, and what is left of the call is written all the same: it may be all that there is. */
function accountOf(call: StoredCallContent, { terminal }: World): CallAccount {
  const account = checkAccount(call)
  const { callId, faults } = account
  for (const fault of faults) terminal.err.write(`voicestream: call ${callId} is damaged: ${fault}\n`)
  return account
}

type RecordedTrack = CallAccount['tracks'][number]

/** The one that was asked for; or those that anything has come to, as audio where there is some. */
function recordedTracks(
  call: StoredCallContent,
  { callId, tracks }: CallAccount,
  asked: number | null,
): readonly RecordedTrack[] {
  if (asked !== null) return [tracks.find(({ track }) => track === asked) ?? noTrack(callId, asked)]
  const heard = tracks.filter(({ track }) => firstOf(call, track) !== null)
  const sounding = heard.filter(({ media }) => isAudioEncoding(media.encoding))
  return sounding.length > 0 ? sounding : [heard[0] ?? tracks[0] ?? noTrack(callId, 0)]
}

function* packetsOf({ packets }: StoredCallContent, wanted: number, from = 0): Generator<StoredPacket> {
  for (const packet of packets) if ((packet.track ?? 0) === wanted && packet.sequence >= from) yield packet
}

function firstOf(call: StoredCallContent, track: number): StoredPacket | null {
  for (const packet of packetsOf(call, track)) return packet
  return null
}

function noTrack(callId: CallId, track: number): never {
  throw new CommandError(exitCodes.notFound, `call ${callId} has no track ${track}`)
}

/** Measures the call before the first byte is out, so what is no audio is refused and the sizes in the header are true. */
async function wavOf(
  call: StoredCallContent,
  tracks: readonly RecordedTrack[],
  asked: Partial<AudioFormat>,
  decode: boolean,
): Promise<AsyncIterable<Buffer>> {
  const voices = tracks.map(({ track, media, expectedTotal }) => ({
    pages: (from: number) => [packetsOf(call, track, from)],
    format: formatOf(media, asked),
    expectedTotal,
    first: firstOf(call, track),
  }))
  const [only, ...others] = voices
  if (only !== undefined && others.length === 0) return trackOf(only, decode)
  const audio = await VoicesAudio.open(voices)
  const pages = voices.map((voice) => voice.pages)
  if (!decode || audio.format.encoding === 'pcm_s16le') return audio.read(pages, 0, audio.bytes - 1)
  const header = wavHeader(linearOf(audio.format), audio.frames)
  return (async function* () {
    yield header
    for await (const samples of audio.readFrames(pages))
      yield toLinear(audio.format.encoding as G711Law, samples)
  })()
}

async function trackOf(
  { pages, format, expectedTotal }: VoiceTrack,
  decode: boolean,
): Promise<AsyncIterable<Buffer>> {
  const measure = await measureAudio(pages(0), format, expectedTotal)
  const target = decode ? linearOf(format) : format
  const header = wavHeader(target, measure.frames)
  return (async function* () {
    yield header
    for await (const pieces of packetAudio(pages(0), format, measure))
      for (const piece of pieces) yield* pieceBytes(piece, format, decode)
    yield wavPadding(measure.frames * frameBytesOf(target))
  })()
}

/** The members of `GET /v1/call/{call_id}/packets`, and the call’s id for `POST /v1/packets`. */
async function* linesOf({ callId, packets }: StoredCallContent): AsyncGenerator<Buffer> {
  for (const { track = 0, sequence, isRaw, data, timestamp, receivedAt } of packets) {
    const line = {
      call_id: callId,
      ...(track === 0 ? {} : { track }),
      sequence,
      data: dataText({ isRaw, data }),
      timestamp,
      received_at: rfc3339(receivedAt),
    }
    yield Buffer.from(`${JSON.stringify(line)}\n`)
  }
}

async function write(
  chunks: AsyncIterable<Buffer>,
  { path, ...rest }: { path: string | undefined; force: boolean; database: string },
  world: World,
): Promise<void> {
  if (path === undefined) return pipeline(Readable.from(chunks), world.terminal.out, { end: false })
  await writeNewFile({ path, ...rest }, world, (temporary) => {
    const fd = openSync(temporary, 'wx', 0o600)
    // `flush` syncs the file before it is closed.
    return pipeline(Readable.from(chunks), createWriteStream(temporary, { fd, flush: true }))
  })
}
