/** The calls of a run over the sockets of a platform. */
import { randomBytes } from 'node:crypto'
import type { WavAudio } from '../../audio/wav-file.js'
import { formatCount } from '../../terminal/numbers.js'
import type { Sender } from '../dialects/sender.js'
import { voicesOf } from '../dialects/voices.js'
import { SimulateError } from '../errors.js'
import { streamPacketsPerSecondMax } from '../limits.js'
import type { SimulateOptions } from '../options.js'
import type { Play } from '../play.js'
import { renderRate } from '../report.js'
import { type Admission, addressOf, type Credentials } from './admission.js'
import { dialTcp, dialWebSocket } from './message-line.js'
import { awaySteps, stepMs } from './stream-plan.js'
import { type PlayedStream, playStream, type StreamPorts } from './stream-player.js'
import { type Trunk, trunkOf } from './trunk.js'

export interface SocketPlayPorts extends Pick<StreamPorts, 'clock' | 'signal'> {
  readonly credentials: Credentials
}

const rates = { mulaw: [8000], pcm_s16le: [8000, 16_000, 24_000] } as const
/** The service refuses more upgrades from one address. */
const socketsPerSecond = 200
/** A doubled webhook opens its second socket a little later. */
const doubleMs = 50
/** So that the service has seen the break: whoever starts a stream again needs longer. */
const awayMsMin = 300

export function socketPlay(
  options: SimulateOptions,
  senders: readonly Sender[],
  audio: WavAudio,
  ports: SocketPlayPorts,
): Play {
  const { clock } = ports
  checkFile(senders, audio, options)
  const voices = voicesOf(audio)
  const trunks = Array.from({ length: options.callCount }, (_, callIndex) =>
    trunkOf(options, senders, { voices, sampleRate: audio.sampleRate, callIndex, startMs: clock.wallMs() }),
  )
  const streams = trunks.flatMap(({ call }) => call.streams)
  const streamPorts = streamPortsOf(options, ports)
  let beganMs = 0
  let endedMs = 0
  return {
    calls: trunks.map(({ call }) => call),
    audioNote: `as ${options.dialect}: ${describeTracks(senders)}`,
    faultNote: describeFaults(options),
    total: streams.reduce((sum, { plan }) => sum + plan.sentCount, 0),
    sent: () => trunks.reduce((sum, { call }) => sum + call.sent, 0),
    async run() {
      beganMs = clock.nowMs()
      const sockets = trunks[0]?.sockets.length ?? 1
      await Promise.all(
        trunks.map((trunk, index) =>
          playTrunk(trunk, streamPorts, beganMs + (index * sockets * 1000) / socketsPerSecond),
        ),
      )
      endedMs = clock.nowMs()
    },
    rate: () =>
      renderRate({
        callCount: trunks.length,
        sentCount: trunks.reduce((sum, { call }) => sum + call.sent, 0),
        elapsedMs: endedMs - beganMs,
        playedTicks: trunks.length * (voices[0].length / audio.sampleRate) * 50,
        speed: options.speed,
      }) + describeStreams(streams),
  }
}

function checkFile(senders: readonly Sender[], { sampleRate }: WavAudio, options: SimulateOptions): void {
  const { dialect, speed } = options
  for (const { tracks } of senders) {
    const known: readonly number[] = tracks.flatMap(({ encoding }) => rates[encoding])
    if (!known.includes(sampleRate))
      throw new SimulateError(
        'usage',
        `--dialect ${dialect} plays files of ${[...new Set(known)].join(', ')} Hz, not ${sampleRate}`,
      )
    const perSecond = tracks.reduce((sum, { packetMs }) => sum + 1000 / packetMs, 0)
    const most = streamPacketsPerSecondMax / perSecond
    if (speed > most)
      throw new SimulateError(
        'usage',
        `--speed must be at most ${most} with --dialect ${dialect}: of one socket the service keeps ${streamPacketsPerSecondMax} packets a second`,
      )
  }
}

// --- playing --------------------------------------------------------------------------------------------------------

function streamPortsOf(
  options: SimulateOptions,
  { clock, signal, credentials }: SocketPlayPorts,
): StreamPorts {
  const { url, publicUrl, audiosocketPort, speed, patienceMs } = options
  const admission: Admission = {
    credentials,
    url,
    publicUrl: publicUrl ?? url,
    newNonce: () => randomBytes(18).toString('base64url'),
    wallMs: () => clock.wallMs(),
  }
  const host = url.hostname.replace(/^\[|\]$/g, '')
  return {
    clock,
    signal,
    speed,
    patienceMs,
    dial: (sender, stream, onText) =>
      sender.path === null
        ? dialTcp(host, audiosocketPort)
        : dialWebSocket(addressOf(sender, stream, admission), onText),
  }
}

/** Never throws what the simulator expects to go wrong: that is told by `call.playing`. */
async function playTrunk({ call, sockets }: Trunk, ports: StreamPorts, startMs: number): Promise<void> {
  const results = await Promise.allSettled(
    sockets.map((socket, index) => playSocket(socket, ports, startMs + index * doubleMs)),
  )
  const failed = results.find((result) => result.status === 'rejected')
  if (failed === undefined) call.playing = { kind: 'played' }
  else if (failed.reason instanceof SimulateError) call.playing = { kind: 'broken off', error: failed.reason }
  else throw failed.reason
}

/** After a break the platform's user begins another stream, of what is said by then. */
async function playSocket(
  socket: readonly PlayedStream[],
  ports: StreamPorts,
  startMs: number,
): Promise<void> {
  const { clock, speed } = ports
  let nextMs = startMs
  for (const played of socket) {
    await playStream(played, ports, nextMs)
    nextMs = clock.nowMs() + Math.max(awayMsMin, (awaySteps * stepMs) / speed)
  }
}

// --- words ----------------------------------------------------------------------------------------------------------

function describeTracks(senders: readonly Sender[]): string {
  const tracks = senders.flatMap((sender) => sender.tracks)
  const packetMs = tracks[0]?.packetMs ?? 0
  return `${tracks.map(({ name }) => name).join(' and ')}, packets of ${packetMs} ms`
}

function describeFaults({ rates, double, drop, seed }: SimulateOptions): string {
  return `loss ${rates.loss} %, sockets twice ${double} %, broken ${drop} %; seed ${seed}`
}

function describeStreams(streams: readonly PlayedStream[]): string {
  const opened = streams.filter(({ messages }) => messages > 0)
  const broken = opened.filter(({ plan }) => plan.breaksAtMs !== null)
  const uncounted = opened
    .filter(({ sender }) => sender.numbering === 'counted')
    .reduce((sum, { plan }) => sum + plan.lostCount, 0)
  const ofBroken =
    broken.length === 0 ? '' : `, of which ${formatCount(broken.length)} broke and were followed by another`
  const ofUncounted =
    uncounted === 0
      ? ''
      : `${formatCount(uncounted)} lost packets had no number on this platform, so they are not missing\n`
  return `sockets: ${formatCount(opened.length)}${ofBroken}\n${ofUncounted}`
}
