/**
 * Asterisk's AudioSocket: TCP, and TCP may cut anywhere.
 *
 *   kind u8 · length u16 big-endian · payload      00 hang up · 01 UUID, always first · 03 DTMF digit · 10 … 18 linear samples · ff error
 *
 * The kind names the rate of the samples, and they are little-endian. With another codec than slin Asterisk sends that codec's bytes
 * as kind 10: a packet of 160 bytes every 20 ms is G.711, and would be noise as samples. So the first packets wait until their length
 * has shown what they are, and G.711 is refused unless the settings name it.
 */
import { Buffer } from 'node:buffer'
import type { Media } from '../../protocol/media.js'
import { linear8k, packetBytesOf } from '../codecs.js'
import type { Dialect, MediaEvent } from '../dialect.js'
import { Warnings } from '../warnings.js'

const headerBytes = 3
const kindHangUp = 0x00
const kindUuid = 0x01
const kindDtmf = 0x03
const kindError = 0xff
const firstAudioKind = 0x10
const rates = [8000, 12_000, 16_000, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000]

const uuidBytes = 16
const packetMs = 20
/** 20 ms of G.711, which as samples would be 10 ms. */
const g711Bytes = 160
const judgedPackets = 5

/** What the settings say of all sockets of the port. */
export interface AudioSocketRules {
  /** What kind 10 carries. */
  readonly codec: 'slin' | 'ulaw' | 'alaw'
  /** The last digit of the UUID names the side (0 caller, 1 agent), the others the call. */
  readonly hasLegDigit: boolean
}

export class AudioSocket implements Dialect {
  readonly #rules: AudioSocketRules
  readonly #warnings = new Warnings()
  /** What came of a frame that is not whole yet. */
  #rest: Uint8Array = Buffer.alloc(0)
  #state: 'before' | 'started' | 'stopped' = 'before'
  #uuid = ''
  #kind: number | null = null
  #judged: Uint8Array[] | null = []

  constructor(rules: AudioSocketRules) {
    this.#rules = rules
    if (rules.codec !== 'slin') this.#judged = null
  }

  feed(bytes: Uint8Array): readonly MediaEvent[] {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    const events: MediaEvent[] = []
    let at = 0
    while (this.#state !== 'stopped' && all.length - at >= headerBytes) {
      const kind = all[at] as number
      const length = ((all[at + 1] as number) << 8) | (all[at + 2] as number)
      if (this.#state === 'before' && (kind !== kindUuid || length !== uuidBytes))
        return [...events, this.#refuse(1002, 'the first frame is not the UUID of a call')]
      const end = at + headerBytes + length
      if (end > all.length) break
      events.push(...this.#take(kind, all.subarray(at + headerBytes, end)))
      at = end
    }
    this.#rest = this.#state === 'stopped' ? Buffer.alloc(0) : new Uint8Array(all.subarray(at))
    return events
  }

  /** Asterisk sends nothing before it closes: that is how calls end. */
  closed(isClean: boolean): readonly MediaEvent[] {
    if (this.#state !== 'started') return []
    const judged = this.#release()
    this.#state = 'stopped'
    return [...judged, { type: 'stop', why: isClean ? 'closed' : 'lost', totals: null }]
  }

  #take(kind: number, payload: Uint8Array): readonly MediaEvent[] {
    if (kind === kindUuid) {
      if (this.#state === 'started') return this.#warnings.once('a second UUID on one socket is ignored')
      this.#state = 'started'
      this.#uuid = Buffer.prototype.hexSlice.call(payload, 0, uuidBytes)
      return [this.#startEvent(this.#mediaOf(firstAudioKind))]
    }
    if (kind === kindHangUp) {
      const judged = this.#release()
      this.#state = 'stopped'
      return [...judged, { type: 'stop', why: 'stopped', totals: null }]
    }
    if (kind === kindDtmf) return [{ type: 'dtmf', durationMs: null }]
    if (kind === kindError) return this.#warnings.once('Asterisk reports an error of the socket')
    if (rates[kind - firstAudioKind] === undefined)
      return this.#warnings.once(`frames of the unknown kind 0x${kind.toString(16)} are ignored`)
    return payload.length === 0 ? [] : this.#takeAudio(kind, payload)
  }

  #takeAudio(kind: number, payload: Uint8Array): readonly MediaEvent[] {
    const other = this.#chooseKind(kind)
    if (this.#judged === null) return [...other, audio(payload)]
    this.#judged.push(new Uint8Array(payload))
    if (kind !== firstAudioKind || payload.length !== g711Bytes) return [...other, ...this.#release()]
    if (this.#judged.length < judgedPackets) return other
    this.#judged = null
    return [
      ...other,
      this.#refuse(
        1003,
        'packets of 160 bytes are G.711, not 16-bit samples: give the channel c(slin) or format=slin, or set the codec of the port',
      ),
    ]
  }

  /** The first audio says the rate; another than the usual one is another stream. */
  #chooseKind(kind: number): readonly MediaEvent[] {
    const before = this.#kind
    this.#kind = kind
    if (kind === (before ?? firstAudioKind)) return []
    return [this.#startEvent(this.#mediaOf(kind))]
  }

  #release(): readonly MediaEvent[] {
    const judged = this.#judged ?? []
    this.#judged = null
    return judged.map(audio)
  }

  #mediaOf(kind: number): Media {
    if (this.#rules.codec !== 'slin' && kind === firstAudioKind)
      return { ...linear8k, encoding: this.#rules.codec === 'ulaw' ? 'mulaw' : 'alaw' }
    return { ...linear8k, sample_rate: rates[kind - firstAudioKind] as number }
  }

  #startEvent(media: Media): MediaEvent {
    const uuid = this.#uuid.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
    const leg = this.#rules.hasLegDigit ? ['caller', 'agent'][Number(uuid.at(-1))] : undefined
    return {
      type: 'start',
      call: leg === undefined ? uuid : `${uuid.slice(0, -1)}0`,
      leg: uuid,
      tracks: [{ name: leg ?? 'mix', media }],
      packetBytes: packetBytesOf(media, packetMs),
      details: {},
      token: null,
      isProbe: false,
    }
  }

  #refuse(closeCode: number, why: string): MediaEvent {
    this.#state = 'stopped'
    this.#rest = Buffer.alloc(0)
    return { type: 'refuse', closeCode, why }
  }
}

function audio(data: Uint8Array): MediaEvent {
  return { type: 'audio', track: 0, index: null, atMs: null, data, isBase64: false }
}
