/**
 * Genesys AudioHook, protocol version 2, as the server of a session. Every answer is made here and at once: `opened` within 5 s and
 * `pong` before the next ping, or the client gives up.
 *
 * Rules of the receiver: bad JSON, more than 64 KiB, a number that is not the next one, an acknowledged number beyond ours, another id
 * or an unknown type is answered with `disconnect`; what was received until then is kept.
 */
import type { Media } from '../../../protocol/media.js'
import { frameBytesOf, linear8k, muLaw8k } from '../../codecs.js'
import type { Dialect, DialectRequest, MediaEvent } from '../../dialect.js'
import {
  isObject,
  type JsonObject,
  objectAt,
  parseJson,
  textAt,
  textOf,
  textsAt,
  wholeNumberAt,
} from '../../json-text.js'
import { streamDetails } from '../../stream-details.js'
import { Warnings } from '../../warnings.js'
import { PositionLine, secondsOf } from './position.js'

const messageBytesMax = 64 * 1024
/** 200 ms, as the client sends them. */
const packetFrames = 1600
const zeroId = '00000000-0000-0000-0000-000000000000'
/** Of bots and newer clients; they say nothing of the audio. */
const ignoredTypes = new Set(['playback_started', 'playback_completed'])

type State = 'before' | 'open' | 'disconnecting' | 'closed'

export class AudioHook implements Dialect {
  readonly #request: DialectRequest
  readonly #warnings = new Warnings()
  #state: State = 'before'
  #id = ''
  #seq = 0
  #clientSeq = 0
  #isPaused = false
  #isProbe = false
  #line: PositionLine | null = null

  constructor(request: DialectRequest) {
    this.#request = request
  }

  feed(message: Uint8Array, isBinary: boolean): readonly MediaEvent[] {
    if (this.#state === 'closed') return []
    if (isBinary) return this.#takeAudio(message)
    if (message.length > messageBytesMax) return this.#disconnect('a message is longer than 64 KiB')
    const object = parseJson(textOf(message))
    if (!isObject(object)) return this.#disconnect('a message is not a JSON object')
    // Whoever was told to disconnect may close, whatever was wrong before.
    const isClosing = this.#state === 'disconnecting' && textAt(object, 'type') === 'close'
    const fault = isClosing ? null : this.#faultOf(object)
    if (fault !== null) return this.#disconnect(fault, textAt(object, 'id'))
    this.#clientSeq = wholeNumberAt(object, 'seq') ?? this.#clientSeq
    return [...this.#checkPosition(object), ...this.#take(object)]
  }

  closed(isClean: boolean): readonly MediaEvent[] {
    const hadAudio = this.#line !== null && this.#state !== 'closed'
    this.#state = 'closed'
    return hadAudio ? [{ type: 'stop', why: isClean ? 'closed' : 'lost', totals: null }] : []
  }

  // --- messages ---------------------------------------------------------------------------------------------------

  #faultOf(object: JsonObject): string | null {
    if (textAt(object, 'version') !== '2') return 'the version is not 2'
    const id = textAt(object, 'id')
    if (id === null || (this.#id !== '' && id !== this.#id)) return 'the id of the session changed'
    if (wholeNumberAt(object, 'seq') !== this.#clientSeq + 1) return 'a message is missing or came twice'
    if ((wholeNumberAt(object, 'serverseq') ?? 0) > this.#seq) return 'serverseq is beyond what was sent'
    const isFirst = this.#state === 'before'
    if (isFirst !== (textAt(object, 'type') === 'open')) return 'the first message, and only that, is open'
    return null
  }

  #take(object: JsonObject): readonly MediaEvent[] {
    const parameters = objectAt(object, 'parameters')
    const type = textAt(object, 'type') ?? ''
    switch (type) {
      case 'open':
        return this.#open(object, parameters)
      case 'ping':
        return [this.#reply('pong')]
      case 'paused':
        return this.#pause()
      case 'resumed':
        return [...this.#discard(object, parameters), ...this.#resume()]
      case 'discarded':
        return this.#discard(object, parameters)
      case 'update':
        return [this.#reply('updated')]
      case 'dtmf':
        return [{ type: 'dtmf', durationMs: null }]
      case 'error':
        return this.#warnings.once(`the client reports the error ${wholeNumberAt(parameters, 'code')}`)
      case 'close':
        return this.#close()
      default:
        return ignoredTypes.has(type) ? [] : this.#disconnect('a message has an unknown type')
    }
  }

  #reply(type: string, parameters: object = {}): MediaEvent {
    const envelope = { version: '2', id: this.#id, type, seq: ++this.#seq, clientseq: this.#clientSeq }
    return { type: 'reply', message: JSON.stringify({ ...envelope, parameters }) }
  }

  #disconnect(
    why: string,
    id: string | null = null,
    reason: 'error' | 'unauthorized' = 'error',
  ): readonly MediaEvent[] {
    if (this.#state === 'disconnecting') return this.#warnings.once(why)
    if (this.#id === '') this.#id = id ?? zeroId
    this.#state = 'disconnecting'
    return [this.#reply('disconnect', { reason, info: why }), ...this.#warnings.once(why)]
  }

  #close(): readonly MediaEvent[] {
    this.#state = 'closed'
    const closed = this.#reply('closed')
    if (this.#line === null) return [closed]
    return [closed, { type: 'stop', why: 'stopped', totals: [this.#line.packets] }]
  }

  // --- opening ----------------------------------------------------------------------------------------------------

  #open(object: JsonObject, parameters: JsonObject): readonly MediaEvent[] {
    this.#id = textAt(object, 'id') ?? ''
    const { headers } = this.#request
    const organization = textAt(parameters, 'organizationId')
    if ((headers.get('audiohook-organization-id') || organization) !== organization)
      return this.#disconnect('the organization is not that of the request', null, 'unauthorized')
    if ((headers.get('audiohook-session-id') || this.#id) !== this.#id)
      return this.#disconnect('the session is not that of the request', null, 'unauthorized')
    this.#state = 'open'
    const participant = objectAt(parameters, 'participant')
    this.#isProbe = textAt(parameters, 'conversationId') === zeroId && textAt(participant, 'id') === zeroId
    const offer = this.#isProbe ? null : bestOffer(parameters['media'])
    const opened = this.#reply('opened', { media: offer === null ? [] : [offer.object], startPaused: false })
    if (offer !== null)
      this.#line = new PositionLine(lineFormat(offer.media), secondsOf(object['position']) ?? 0)
    const noOffer = 'none of the offered media is known; no audio will come'
    return [
      opened,
      ...(offer === null && !this.#isProbe ? this.#warnings.once(noOffer) : []),
      ...(offer === null && !this.#isProbe ? [] : [this.#startEvent(parameters, participant, offer)]),
    ]
  }

  #startEvent(parameters: JsonObject, participant: JsonObject, offer: Offer | null): MediaEvent {
    const { call, details } = streamDetails({
      caller: textAt(participant, 'ani'),
      callee: textAt(participant, 'dnis'),
      labels: Object.entries({
        language: parameters['language'],
        custom_config: parameters['customConfig'],
        ani_name: participant['aniName'],
      }).filter(([, value]) => value !== undefined && value !== ''),
    })
    return {
      type: 'start',
      call: call ?? textAt(parameters, 'conversationId'),
      leg: this.#id,
      tracks: offer === null ? [] : [{ name: offer.channels.join('+'), media: offer.media }],
      packetBytes: offer === null ? null : packetFrames * (frameBytesOf(offer.media) ?? 1),
      details,
      token: null,
      isProbe: this.#isProbe,
    }
  }

  // --- audio ------------------------------------------------------------------------------------------------------

  #takeAudio(message: Uint8Array): readonly MediaEvent[] {
    if (this.#state === 'before') return this.#disconnect('audio came before open')
    if (this.#line === null) return this.#warnings.once('audio that was not asked for is ignored')
    if (message.length === 0) return []
    this.#line.receive(message.length)
    // An error by the rules, but what was said is worth more than the rule.
    const strange = this.#isPaused ? this.#warnings.once('audio came in a pause; it is kept') : []
    return [...strange, { type: 'audio', track: 0, index: null, atMs: null, data: message, isBase64: false }]
  }

  /** In a pause the position of a live source goes on; what was lost there the end of the pause tells. */
  #checkPosition(object: JsonObject): readonly MediaEvent[] {
    const position = secondsOf(object['position'])
    const type = textAt(object, 'type')
    const isOfPause = this.#isPaused || type === 'paused' || type === 'resumed' || type === 'discarded'
    if (this.#line === null || position === null || isOfPause) return []
    return this.#move(position, 'numbered')
  }

  /** `start` and `discarded` are a claim; the message's own position bounds it. */
  #discard(object: JsonObject, parameters: JsonObject): readonly MediaEvent[] {
    const first = secondsOf(parameters['start'])
    const length = secondsOf(parameters['discarded'])
    if (this.#line === null || first === null || length === null) return []
    const position = secondsOf(object['position']) ?? first + length
    return this.#move(Math.min(first + length, position), 'discarded')
  }

  #move(seconds: number, why: 'numbered' | 'discarded'): readonly MediaEvent[] {
    return (
      this.#line?.moveTo(seconds, why) ??
      this.#warnings.once('a position lies more than a day ahead; it is ignored')
    )
  }

  #pause(): readonly MediaEvent[] {
    if (this.#isPaused) return []
    this.#isPaused = true
    return this.#line === null ? [] : [{ type: 'paused', track: null }]
  }

  #resume(): readonly MediaEvent[] {
    if (!this.#isPaused) return []
    this.#isPaused = false
    return this.#line === null ? [] : [{ type: 'resumed', track: null }]
  }
}

interface Offer {
  /** Unchanged, because the client wants its own object back. */
  readonly object: JsonObject
  readonly media: Media
  readonly channels: readonly string[]
}

/** Of the known ones that with most channels, and of those the first. */
function bestOffer(offers: unknown): Offer | null {
  const known = (Array.isArray(offers) ? offers : []).filter(isObject).flatMap((object): Offer[] => {
    const channels = textsAt(object, 'channels')
    const format = textAt(object, 'format')
    const rate = wholeNumberAt(object, 'rate') ?? 8000
    if (channels.length < 1 || channels.length > 2 || rate < 4000 || rate > 48_000) return []
    if (textAt(object, 'type') !== 'audio' || (format !== 'PCMU' && format !== 'L16')) return []
    const usual = format === 'PCMU' ? muLaw8k : linear8k
    return [{ object, channels, media: { ...usual, sample_rate: rate, channels: channels.length } }]
  })
  return known.reduce<Offer | null>(
    (best, offer) => (best === null || offer.channels.length > best.channels.length ? offer : best),
    null,
  )
}

function lineFormat(media: Media) {
  return {
    encoding: media.encoding === 'mulaw' ? 'mulaw' : 'pcm_s16le',
    sampleRate: media.sample_rate,
    frameBytes: frameBytesOf(media) ?? 1,
    packetFrames,
  } as const
}
