/** The sockets of one call, with what happens to each. Pure. */
import { hash } from 'node:crypto'
import type { Sender } from '../dialects/sender.js'
import type { Voice } from '../dialects/voices.js'
import { callIdOf, type SimulateOptions } from '../options.js'
import { partiesOf } from '../parties.js'
import { SocketCall } from './socket-call.js'
import { planSockets, type SocketPlan } from './stream-plan.js'
import type { PlayedStream } from './stream-player.js'

export interface Trunk {
  readonly call: SocketCall
  /** Each is one socket after the other; all of them at once. */
  readonly sockets: readonly (readonly PlayedStream[])[]
}

export interface TrunkRequest {
  readonly voices: readonly [Voice, Voice]
  readonly sampleRate: number
  readonly callIndex: number
  readonly startMs: number
}

export function trunkOf(
  options: SimulateOptions,
  senders: readonly Sender[],
  { voices, sampleRate, callIndex, startMs }: TrunkRequest,
): Trunk {
  const name = callIdOf(options.prefix, callIndex, options.callCount)
  const callId = senders.some(({ hasUuids }) => hasUuids) ? uuidOf(name) : name
  const parties = partiesOf(callIndex)
  const durationMs = (Math.min(...voices.map(({ length }) => length)) * 1000) / sampleRate
  const plans = planSockets({
    seed: options.seed,
    callIndex,
    faults: { loss: options.rates.loss, double: options.double, drop: options.drop },
    senders: senders.map(({ tracks }) => ({
      tracks: tracks.map(({ packetMs }) => ({ packetMs, packetCount: Math.ceil(durationMs / packetMs) })),
    })),
  })
  const playedOf = (sender: Sender, socket: SocketPlan, place: string): PlayedStream[] =>
    socket.map((plan, order) => ({
      sender,
      plan,
      stream: {
        callId,
        parties,
        streamId: streamIdOf(sender, `${callId} ${place} ${order}`),
        voices,
        sampleRate,
        beginsAtMs: plan.beginsAtMs,
        startMs,
        isLost: (track, index) => plan.lost[track]?.has(index) === true,
        breaksAtMs: plan.breaksAtMs === null ? null : plan.breaksAtMs - plan.beginsAtMs,
      },
      messages: 0,
      packets: 0,
      firstAtMs: null,
      lastAtMs: 0,
    }))
  const sockets = senders.flatMap((sender, side) =>
    (plans[side] ?? []).map((socket, copy) => playedOf(sender, socket, `${side} ${copy}`)),
  )
  return { call: new SocketCall(callId, sockets.flat()), sockets }
}

/** Of version 8 (RFC 9562 §5.8), whose bits are ours. */
function uuidOf(name: string): string {
  const digits = hash('sha256', name, 'hex')
  const [a, b, c, d, e] = [
    digits.slice(0, 8),
    digits.slice(8, 12),
    digits.slice(13, 16),
    digits.slice(17, 20),
    digits.slice(20, 32),
  ]
  return `${a}-${b}-4${c}-8${d}-${e}`
}

function streamIdOf({ hasUuids }: Sender, name: string): string {
  return hasUuids ? uuidOf(name) : `MZ${hash('sha256', name, 'hex').slice(0, 32)}`
}
