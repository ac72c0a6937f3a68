/** The dialects by the names that their paths have, `/v1/media/{name}`; `/v1/media` alone finds out (`detected-dialect`). */
import type { DialectKind } from './dialect.js'
import { AudioHook } from './dialects/audiohook/audiohook.js'
import { JsonStream } from './dialects/json-stream/json-stream.js'
import {
  bandwidth,
  exotel,
  plivo,
  type StreamPlatform,
  signalwire,
  telnyx,
  twilio,
  voximplant,
} from './dialects/json-stream/platforms.js'
import { asterisk } from './dialects/preamble/asterisk.js'
import { freeswitch } from './dialects/preamble/freeswitch.js'
import { jambonz } from './dialects/preamble/jambonz.js'
import { type PreambleReader, PreambleStream } from './dialects/preamble/preamble-stream.js'
import { sinch } from './dialects/preamble/sinch.js'
import { vonage } from './dialects/preamble/vonage.js'

const kib = 1024
const usualBytesMax = 64 * kib
/** What FreeSWITCH could not write is one message: 5 s of stereo at 64 kHz are 1.28 MB. */
const burstBytesMax = 2 * kib * kib
/** More than the 64 KiB of its rules, so that a longer message is answered as they say. */
const audioHookBytesMax = 128 * kib

const streams = [twilio, signalwire, telnyx, plivo, exotel, bandwidth, voximplant].map(streamKind)

export const audioHookKind: DialectKind = {
  name: 'audiohook',
  subprotocols: [],
  messageBytesMax: audioHookBytesMax,
  create: (request) => new AudioHook(request),
}

const kinds: ReadonlyMap<string, DialectKind> = new Map(
  [
    ...streams,
    preambleKind('vonage', vonage),
    preambleKind('infobip', vonage),
    preambleKind('sinch', sinch, { asksFirst: true }),
    preambleKind('jambonz', jambonz, { subprotocols: ['audio.jambonz.org'], messageBytesMax: burstBytesMax }),
    preambleKind('freeswitch', freeswitch, {
      subprotocols: ['audio.drachtio.org', 'audiostream.drachtio.org'],
      messageBytesMax: burstBytesMax,
    }),
    preambleKind('asterisk', asterisk, { subprotocols: ['media'] }),
    audioHookKind,
  ].map((kind) => [kind.name, kind]),
)

export const dialectNames: readonly string[] = [...kinds.keys()]

/** Undefined for a name that no dialect has. */
export function dialectKind(name: string): DialectKind | undefined {
  return kinds.get(name)
}

function streamKind(platform: StreamPlatform): DialectKind {
  return {
    name: platform.name,
    subprotocols: [],
    messageBytesMax: usualBytesMax,
    ...(platform.packetMs === undefined ? {} : { packetMs: platform.packetMs }),
    create: (request) => new JsonStream(platform, request),
  }
}

function preambleKind(
  name: string,
  reader: PreambleReader | ((request: Parameters<DialectKind['create']>[0]) => PreambleReader),
  change: Partial<DialectKind> = {},
): DialectKind {
  return {
    name,
    subprotocols: [],
    messageBytesMax: usualBytesMax,
    create: (request) => new PreambleStream(typeof reader === 'function' ? reader(request) : reader),
    ...change,
  }
}
