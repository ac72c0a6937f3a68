/** The `listen` verb of jambonz. The first text merges call attributes and the customer's metadata into one flat object. */
import { linear8k } from '../../codecs.js'
import { isObject, parseJson, textAt, wholeNumberAt } from '../../json-text.js'
import type { PreambleReader, PreambleText } from './preamble-stream.js'
import { assumed } from './vonage.js'

/** What is said in words of ours. */
const own = new Set(['callSid', 'sampleRate', 'mixType', 'from', 'to', 'direction'])
/** DTMF is as long as so many samples a millisecond. */
const dtmfSamplesPerMs = 8

export const jambonz: PreambleReader = {
  usualMedia: linear8k,
  read(text, isFirst): PreambleText {
    const message = parseJson(text)
    if (!isObject(message)) return { kind: 'warning', why: 'a text is ignored that is not a JSON object' }
    if (textAt(message, 'event') === 'dtmf') {
      const samples = wholeNumberAt(message, 'duration')
      const durationMs = samples === null ? null : Math.round(samples / dtmfSamplesPerMs)
      return { kind: 'events', events: [{ type: 'dtmf', durationMs }] }
    }
    if (!isFirst) return { kind: 'events', events: [] }
    const mix = mixOf(textAt(message, 'mixType'))
    return {
      kind: 'start',
      call: textAt(message, 'callSid'),
      leg: null,
      ...mix,
      encoding: null,
      rate: message['sampleRate'],
      said: {
        caller: textAt(message, 'from'),
        callee: textAt(message, 'to'),
        direction: textAt(message, 'direction'),
        labels: Object.entries(message).filter(([name]) => !own.has(name)),
      },
    }
  },
  assume: () => assumed('mix'),
}

/** Of jambonz and FreeSWITCH: one side, both mixed, or both as two channels. */
export function mixOf(mixType: string | null): { track: string; channels: number } {
  if (mixType === 'stereo') return { track: 'inbound+outbound', channels: 2 }
  return { track: mixType === 'mono' ? 'inbound' : 'mix', channels: 1 }
}
