/** Plays sounds into the insight of a call as packets that are lost and overtake each other, and says what it told. */
import type { AudioEncoding } from '../../src/audio/audio-format.js'
import { CallInsight } from '../../src/insight/call-insight.js'
import type { TalkTerms } from '../../src/insight/talk-rules.js'
import type { RaisedAlert } from '../../src/protocol/alert.js'
import { encoded, type Random, type Sound } from './synthetic-speech.js'

export interface Told {
  readonly alerts: readonly (RaisedAlert & { readonly clearedMs: number | null; readonly raisedMs: number })[]
  readonly insight: CallInsight
}

export interface Road {
  readonly encoding: AudioEncoding
  /** The share of the packets that are lost. */
  readonly loss: number
  /** The share that comes 20 to 120 ms late. */
  readonly late: number
  readonly random: Random
}

export const usualTerms: TalkTerms = { deadAirMs: 15_000, oneWayMs: 20_000, overtalkMs: 3000 }
export const clearRoad = (random: Random): Road => ({ encoding: 'mulaw', loss: 0, late: 0, random })

const packetSamples = 160
const startAt = 1_700_000_000_000

/** Each sound is a track. `saidEncoding`: where the call says another one than it has. */
export function play(
  sounds: readonly Sound[],
  road: Road,
  saidEncoding = road.encoding,
  terms = usualTerms,
): Told {
  const alerts: (RaisedAlert & { clearedMs: number | null; raisedMs: number })[] = []
  let at = startAt
  const insight = new CallInsight(
    {
      raised: (alert) => alerts.push({ ...alert, clearedMs: null, raisedMs: at - startAt }),
      cleared: (alertId, toMs) => {
        const alert = alerts.find(({ alert_id }) => alert_id === alertId)
        if (alert === undefined) throw new Error(`${alertId} was cleared and never raised`)
        if (alert.clearedMs !== null) throw new Error(`${alertId} was cleared twice`)
        alert.clearedMs = toMs
      },
    },
    terms,
  )
  sounds.forEach((_, track) => {
    insight.openTrack(track, { encoding: saidEncoding, sampleRate: 8000, channels: 1 }, track)
  })
  const packets = sounds.flatMap((sound, track) => packetsOf(sound, track, road))
  packets.sort((a, b) => a.at - b.at)
  for (const packet of packets) {
    at = packet.at
    insight.take(packet)
  }
  return { alerts, insight }
}

interface SentPacket {
  readonly track: number
  readonly sequence: number
  readonly samples: Uint8Array
  readonly at: number
}

function packetsOf(sound: Sound, track: number, { encoding, loss, late, random }: Road): SentPacket[] {
  const bytes = encoded(sound, encoding)
  const packetBytes = packetSamples * (encoding === 'pcm_s16le' ? 2 : 1)
  const packets: SentPacket[] = []
  for (let sequence = 0; (sequence + 1) * packetBytes <= bytes.length; sequence++) {
    if (random() < loss) continue
    const delay = random() < late ? 20 + Math.round(100 * random()) : 0
    packets.push({
      track,
      sequence,
      samples: bytes.subarray(sequence * packetBytes, (sequence + 1) * packetBytes),
      at: startAt + sequence * 20 + delay,
    })
  }
  return packets
}

/** `kind` or `kind:channel`, in the order in which they were raised. */
export function kindsOf({ alerts }: Told): string[] {
  return alerts.map(({ kind, channel }) => (channel === null ? kind : `${kind}:${channel}`))
}
