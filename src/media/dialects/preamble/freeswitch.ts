/**
 * FreeSWITCH with mod_audio_fork or mod_audio_stream. The first text is whatever the dialplan gives as metadata: one JSON object,
 * several in one frame, a bare number, or none at all. Nothing on the wire says rate and channels, so the address of the socket
 * does (`?rate=16000&mix=stereo`), or the metadata.
 */
import { codecOf, linear8k } from '../../codecs.js'
import type { DialectRequest } from '../../dialect.js'
import { isObject, type JsonObject, parseJson, splitTexts, textAt } from '../../json-text.js'
import { mixOf } from './jambonz.js'
import type { PreambleReader, PreambleStart, PreambleText } from './preamble-stream.js'

const callNames = ['call_id', 'callId', 'call_uuid', 'uuid', 'callSid', 'Unique-ID', 'Channel-Call-UUID']
const rateNames = ['sampleRate', 'sample_rate', 'rate', 'sampling']
const mixNames = ['mixType', 'mix_type', 'mix']
const own = new Set([...rateNames, ...mixNames, 'channels', 'from', 'to', 'caller', 'callee', 'direction'])
const textsMax = 32

export function freeswitch(request: DialectRequest): PreambleReader {
  const { query } = request
  const queryMix = query.get('mix') ?? (query.get('channels') === '2' ? 'stereo' : null)
  return {
    usualMedia: codecOf(null, query.get('rate'), undefined, linear8k).media,
    read(text, isFirst): PreambleText {
      // Later texts may be anything that somebody sends into the stream.
      if (!isFirst) return { kind: 'events', events: [] }
      return startOf(metadataOf(text), queryMix)
    },
    assume: () => startOf({}, queryMix),
  }
}

/** The texts of a frame as one object; those that are no objects under names of their own. */
function metadataOf(text: string): JsonObject {
  const texts = splitTexts(text, textsMax) ?? [text]
  return Object.assign(
    Object.create(null),
    ...texts.map((each, place) => {
      const value = parseJson(each)
      return isObject(value) ? value : { [place === 0 ? 'text' : `text.${place + 1}`]: each.trim() }
    }),
  )
}

function startOf(metadata: JsonObject, queryMix: string | null): PreambleStart {
  const said = (names: readonly string[]) =>
    names.map((name) => textAt(metadata, name)).find((value) => value !== null) ?? null
  const mix = mixOf(said(mixNames) ?? (textAt(metadata, 'channels') === '2' ? 'stereo' : queryMix))
  return {
    kind: 'start',
    call: said(callNames),
    leg: null,
    ...mix,
    encoding: null,
    rate: said(rateNames) ?? undefined,
    said: {
      caller: said(['from', 'caller']),
      callee: said(['to', 'callee']),
      direction: said(['direction']),
      labels: Object.entries(metadata).filter(([name]) => !own.has(name)),
    },
  }
}
