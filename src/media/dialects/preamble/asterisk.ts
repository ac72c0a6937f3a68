/**
 * Asterisk's chan_websocket: control texts as JSON or, older and still the default, as `EVENT name:value name:value`. Each socket
 * is one channel of a call; the variables CALL_ID and LEG, or parameters of the URL, say of which call and which side.
 */
import { codecOf, muLaw8k } from '../../codecs.js'
import type { DialectRequest } from '../../dialect.js'
import { isObject, type JsonObject, objectAt, parseJson, textAt, wholeNumberAt } from '../../json-text.js'
import type { PreambleReader, PreambleStart, PreambleText } from './preamble-stream.js'

/** Asterisk's own, which say nothing of the call. */
const ownVariables = /^(?:MEDIA_WEBSOCKET_.*|DIALEDPEERNUMBER)$/
const named = new Set(['call_id', 'leg', 'track', 'from', 'to', 'caller', 'callee', 'format', 'token'])

export function asterisk(request: DialectRequest): PreambleReader {
  return {
    usualMedia: muLaw8k,
    read(text): PreambleText {
      const message = controlOf(text)
      if (message === null)
        return { kind: 'warning', why: 'a control text is ignored that is not understood' }
      switch (message['event']) {
        case 'MEDIA_START':
          return mediaStart(message, request.query)
        case 'DTMF_END':
          return {
            kind: 'events',
            events: [{ type: 'dtmf', durationMs: wholeNumberAt(message, 'duration_ms') }],
          }
        case 'ERROR':
          return { kind: 'warning', why: 'Asterisk reports an error of a command' }
        default:
          return { kind: 'events', events: [] }
      }
    },
    assume: () => mediaStart({ format: request.query.get('format') ?? 'ulaw' }, request.query),
  }
}

function controlOf(text: string): JsonObject | null {
  if (text.startsWith('{')) {
    const value = parseJson(text)
    return isObject(value) ? value : null
  }
  const [event = '', ...pairs] = text.trim().split(' ')
  if (!/^[A-Z_]{1,64}$/.test(event)) return null
  return Object.fromEntries([
    ...pairs.map((pair) => {
      const colon = pair.indexOf(':')
      return colon < 0 ? [pair, ''] : [pair.slice(0, colon), pair.slice(colon + 1)]
    }),
    ['event', event],
  ])
}

function mediaStart(message: JsonObject, asked: ReadonlyMap<string, string>): PreambleStart {
  const variables = variablesOf(objectAt(message, 'channel_variables'))
  const differing = differingNames(variables, asked)
  // One that differs is of another call, and so are those that nothing contradicts.
  const query = differing.length === 0 ? asked : new Map([...asked].filter(([name]) => name === 'token'))
  const said = (...names: readonly string[]) =>
    names.map((name) => variables.get(name) ?? query.get(name)).find((value) => value) ?? null
  const format = textAt(message, 'format')
  const frame = wholeNumberAt(message, 'optimal_frame_size')
  const codec = codecOf(nameOf(format), rateOf(format), 1, muLaw8k)
  const isWhole = codec.media.encoding !== 'pcm_s16le' || (frame ?? 0) % 2 === 0
  return {
    kind: 'start',
    call: said('call_id'),
    leg: textAt(message, 'channel_id'),
    track: said('leg', 'track') ?? 'mix',
    encoding: nameOf(format),
    rate: rateOf(format),
    channels: 1,
    packetBytes: frame !== null && frame > 0 && frame <= 16_384 && isWhole ? frame : null,
    said: {
      caller: said('caller', 'from'),
      callee: said('callee', 'to'),
      labels: [...new Map([...query, ...variables])].filter(([name]) => !named.has(name) || name === 'token'),
    },
    warnings: stickyWarnings(differing),
  }
}

/** In lower case; inherited ones keep their leading underscores. */
function variablesOf(object: JsonObject): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(object).flatMap(([name, value]) =>
      typeof value === 'string' && !ownVariables.test(name)
        ? [[name.replace(/^_+/, '').toLowerCase(), value]]
        : [],
    ),
  )
}

/**
 * Asterisk 22.10.1 keeps the parameters of `v()` in the shared section of its configuration: a dial without `v()` sends those of an
 * earlier call. The variables are the channel's own, so they win.
 */
function differingNames(
  variables: ReadonlyMap<string, string>,
  query: ReadonlyMap<string, string>,
): readonly string[] {
  return [...query].flatMap(([name, value]) => ((variables.get(name) ?? value) === value ? [] : [name]))
}

function stickyWarnings(names: readonly string[]): readonly string[] {
  if (names.length === 0) return []
  return [
    `the parameters ${names.slice(0, 8).join(', ')} of the URL differ from the channel's variables, which are taken; give v() with every dial`,
  ]
}

/** `slin16` is linear at 16 kHz. */
function nameOf(format: string | null): string | null {
  return format === null ? null : format.replace(/^slin\d*$/, 'slin')
}

function rateOf(format: string | null): number {
  if (format === 'opus') return 48_000
  if (format === 'g722') return 16_000
  const kilohertz = /^slin(\d+)$/.exec(format ?? '')?.[1]
  if (kilohertz === undefined) return 8000
  return kilohertz === '44' ? 44_100 : Number(kilohertz) * 1000
}
