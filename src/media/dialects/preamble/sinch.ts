/** Sinch. It waits for an answer before any audio, and a socket that we close hangs up the caller's call. */
import { linear8k } from '../../codecs.js'
import type { DialectRequest } from '../../dialect.js'
import { isObject, objectAt, parseJson, textAt } from '../../json-text.js'
import type { PreambleReader, PreambleText } from './preamble-stream.js'
import { assumed } from './vonage.js'

const answer = JSON.stringify({ command: 'answer' })
/** What a new call is told by a service that stops, or has no room. */
const busy = JSON.stringify({ command: 'busy' })

export const sinch = (request: DialectRequest): PreambleReader => ({
  usualMedia: linear8k,
  read(text): PreambleText {
    const message = parseJson(text)
    if (!isObject(message)) return { kind: 'warning', why: 'a text is ignored that is not a JSON object' }
    if (textAt(message, 'command') !== 'connect') return { kind: 'events', events: [] }
    if (request.isBusy?.() === true) return { kind: 'refused', reply: busy }
    return {
      kind: 'start',
      call: textAt(message, 'callId'),
      leg: null,
      track: 'mix',
      encoding: textAt(message, 'codec'),
      rate: message['sampleRate'],
      channels: undefined,
      said: { labels: Object.entries(objectAt(message, 'callHeaders')) },
      reply: answer,
    }
  },
  assume: () => assumed('mix'),
})
