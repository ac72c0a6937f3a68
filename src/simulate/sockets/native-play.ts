/**
 * The calls of a run over `voicestream.ingest.v1`, with the client that gateways use: trunks of some calls each. A trunk whose
 * connection breaks sends again what was not acknowledged, so the account must be as if nothing had happened.
 */
import type { Buffer } from 'node:buffer'
import type { WavAudio } from '../../audio/wav-file.js'
import { formatCount } from '../../terminal/numbers.js'
import { SimulateError } from '../errors.js'
import { packetMs } from '../limits.js'
import type { SimulateOptions } from '../options.js'
import { startOf } from '../packets.js'
import type { Play } from '../play.js'
import { renderRate } from '../report.js'
import { createNativeCall } from './native-call.js'
import {
  blockPackets,
  type NativePorts,
  plannedOf,
  planTrunks,
  playTrunk,
  type Trunk,
} from './native-trunk.js'

const callsPerTrunk = 50

export function nativePlay(options: SimulateOptions, audio: WavAudio, ports: NativePorts): Play {
  const { clock } = ports
  const packets = wholePackets(audio)
  const calls = Array.from({ length: options.callCount }, (_, callIndex) =>
    createNativeCall(options, packets, callIndex),
  )
  const trunks: Trunk[] = []
  for (let first = 0; first < calls.length; first += callsPerTrunk) {
    const own = calls.slice(first, first + callsPerTrunk)
    trunks.push(...planTrunks(options, own, trunks.length))
  }
  const sent = () => calls.reduce((sum, call) => sum + call.counts.sent, 0)
  let beganMs = 0
  let endedMs = 0
  return {
    calls,
    audioNote: `as native: blocks of ${blockPackets} packets of ${packetMs} ms`,
    faultNote: `loss ${options.rates.loss} %, trunks twice ${options.double} %, broken ${options.drop} %; seed ${options.seed}`,
    total: trunks.reduce((sum, trunk) => sum + plannedOf(trunk), 0),
    sent,
    async run() {
      beganMs = clock.nowMs()
      const start = startOf([audio])
      await Promise.all(trunks.map((trunk) => playTrunk(trunk, { options, packets, start, ports, beganMs })))
      for (const call of calls) if (call.playing.kind === 'playing') call.playing = { kind: 'played' }
      endedMs = clock.nowMs()
    },
    rate: () =>
      renderRate({
        callCount: calls.length,
        sentCount: sent(),
        elapsedMs: endedMs - beganMs,
        playedTicks: calls.length * packets.length,
        speed: options.speed,
      }) + describeTrunks(trunks),
  }
}

/** Blocks have packets of one length, so the rest of the file is left out. */
function wholePackets({ frames, frameBytes, sampleRate }: WavAudio): readonly Buffer[] {
  const packetFrames = (sampleRate * packetMs) / 1000
  if (!Number.isInteger(packetFrames))
    throw new SimulateError(
      'usage',
      `--dialect native sends packets of one length, and ${packetMs} ms of ${sampleRate} Hz are ${packetFrames} samples`,
    )
  const bytes = packetFrames * frameBytes
  const packets: Buffer[] = []
  for (let at = 0; at + bytes <= frames.length; at += bytes) packets.push(frames.subarray(at, at + bytes))
  if (packets.length === 0)
    throw new SimulateError('usage', `the file is shorter than a packet of ${packetMs} ms`)
  return packets
}

function describeTrunks(trunks: readonly Trunk[]): string {
  const broken = trunks.filter(({ breaksAtShare }) => breaksAtShare !== null).length
  const ofBroken =
    broken === 0 ? '' : `, of which ${formatCount(broken)} broke and sent again what was not acknowledged`
  return `trunks: ${formatCount(trunks.length)}${ofBroken}\n`
}
