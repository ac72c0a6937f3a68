/** Vonage, and Infobip, which sends the same texts. The call is one voice: the mix of everybody in it. */
import { linear8k } from '../../codecs.js'
import { isObject, parseJson, textAt, wholeNumberAt } from '../../json-text.js'
import type { PreambleReader, PreambleStart, PreambleText } from './preamble-stream.js'

/** The headers of the NCCO stand beside these. */
const own = new Set(['event', 'content-type', 'token'])
const callNames = ['call_id', 'call_uuid', 'callId'] as const

export const vonage: PreambleReader = {
  usualMedia: { ...linear8k, sample_rate: 16_000 },
  read(text): PreambleText {
    const message = parseJson(text)
    if (!isObject(message)) return { kind: 'warning', why: 'a text is ignored that is not a JSON object' }
    switch (textAt(message, 'event')) {
      case 'websocket:connected':
        return {
          kind: 'start',
          call: callNames.map((name) => textAt(message, name)).find((id) => id !== null) ?? null,
          leg: null,
          track: 'mix',
          encoding: textAt(message, 'content-type'),
          rate: undefined,
          channels: undefined,
          said: {
            caller: textAt(message, 'from'),
            callee: textAt(message, 'to'),
            labels: Object.entries(message).filter(([name]) => !own.has(name) || name === 'token'),
          },
        }
      case 'websocket:dtmf':
        return { kind: 'events', events: [{ type: 'dtmf', durationMs: wholeNumberAt(message, 'duration') }] }
      // Muted: nothing comes, and nothing is lost.
      case 'websocket:media:update':
        return {
          kind: 'events',
          events: [{ type: message['active'] === false ? 'paused' : 'resumed', track: null }],
        }
      case 'websocket:disconnected':
        return { kind: 'events', events: [{ type: 'stop', why: 'stopped', totals: null }] }
      default:
        return { kind: 'events', events: [] }
    }
  },
  assume: () => assumed('mix'),
}

export function assumed(track: string): PreambleStart {
  return {
    kind: 'start',
    call: null,
    leg: null,
    track,
    encoding: null,
    rate: undefined,
    channels: undefined,
    said: {},
  }
}
