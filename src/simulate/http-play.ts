/** The calls of a run over HTTP: a plan and a log for each track of each. */
import type { WavAudio } from '../audio/wav-file.js'
import { formatCount } from '../terminal/numbers.js'
import { HttpCall, type Line, playCall } from './call-player.js'
import { SimulateError } from './errors.js'
import { planCall } from './impairment.js'
import { packetMs, plannedPacketsMax } from './limits.js'
import { callIdOf, type SimulateOptions } from './options.js'
import { type AudioPacket, cutPackets, startOf, tracksOf } from './packets.js'
import { partiesOf } from './parties.js'
import type { Play } from './play.js'
import { renderRate } from './report.js'

export type LinePorts = Pick<Line, 'client' | 'clock' | 'signal'>

export function httpPlay(options: SimulateOptions, audio: WavAudio, ports: LinePorts): Play {
  const { clock } = ports
  const tracks = tracksOf(audio, options.tracks)
  const packets = tracks.map((track, index) => cutPackets(track, index))
  const calls = planCalls(options, packets, clock.wallMs())
  const start = startOf(tracks)
  let beganMs = 0
  return {
    calls,
    audioNote: describePackets(options, packets[0]?.length ?? 0),
    faultNote: describeFaults(options),
    total: sumOf(calls, ({ tracks }) => sumOf(tracks, ({ plan }) => plan.live.length + plan.late.length)),
    sent: () => sumOf(calls, ({ counts }) => counts.sent),
    async run() {
      beganMs = clock.nowMs()
      const lineOf = (callIndex: number): Line => ({
        ...ports,
        startBody: JSON.stringify({ ...start, ...partiesOf(callIndex) }),
        speed: options.speed,
        graceMs: options.graceMs,
        // Calls of a real trunk are not in step: their packets are spread over the packet time.
        startMs: beganMs + (callIndex / calls.length) * (packetMs / options.speed),
      })
      await Promise.all(calls.map((call, callIndex) => playCall(call, lineOf(callIndex))))
    },
    rate() {
      const liveEndMs = calls.reduce((latest, call) => Math.max(latest, call.liveEndMs ?? beganMs), beganMs)
      return renderRate({
        callCount: calls.length,
        sentCount: sumOf(calls, ({ tracks }) => sumOf(tracks, ({ liveAnswered }) => liveAnswered)),
        elapsedMs: liveEndMs - beganMs,
        playedTicks: sumOf(calls, ({ tracks }) => Math.max(...tracks.map(({ playedTicks }) => playedTicks))),
        speed: options.speed,
      })
    },
  }
}

function planCalls(
  { callCount, seed, rates, prefix }: SimulateOptions,
  packets: readonly (readonly AudioPacket[])[],
  wallMs: number,
): HttpCall[] {
  const packetCount = packets[0]?.length ?? 0
  if (callCount * packetCount * packets.length > plannedPacketsMax)
    throw new SimulateError(
      'usage',
      `${callCount} calls of ${packetCount * packets.length} packets are past the highest allowed ${plannedPacketsMax} packets`,
    )
  return Array.from(
    { length: callCount },
    (_, callIndex) =>
      new HttpCall({
        callId: callIdOf(prefix, callIndex, callCount),
        tracks: packets.map((own, track) => ({
          plan: planCall({ seed: seed + track, callIndex, packetCount: own.length, rates }),
          packets: own,
        })),
        // A millisecond apart, so that a packet stored under the wrong call shows by its timestamp.
        startWallMs: wallMs + callIndex,
      }),
  )
}

function describePackets({ tracks }: SimulateOptions, packetCount: number): string {
  const ofTracks = tracks === 1 ? '' : ` in each of ${tracks} tracks`
  return `${formatCount(packetCount)} packets of ${packetMs} ms${ofTracks}`
}

function describeFaults({ rates, seed }: SimulateOptions): string {
  return `loss ${rates.loss} %, reorder ${rates.reorder} %, duplicate ${rates.duplicate} %, late ${rates.late} %; seed ${seed}`
}

function sumOf<Item>(items: readonly Item[], pick: (item: Item) => number): number {
  return items.reduce((sum, item) => sum + pick(item), 0)
}
