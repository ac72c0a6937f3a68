/** The control messages of `voicestream.ingest.v1`, checked. */
import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { limits } from '../../limits.js'
import { StartBody } from '../../protocol/media.js'
import { CallIdText, TrackNumber } from '../../protocol/packet.js'
import { parseJson } from '../json-text.js'

const stream = Type.Integer({ minimum: 0, maximum: 65_535 })

const Hello = Type.Object({
  type: Type.Literal('hello'),
  gateway: Type.Optional(Type.String({ minLength: 1, maxLength: limits.detailCharactersMax })),
})

const Open = Type.Object({
  type: Type.Literal('open'),
  stream,
  call_id: CallIdText,
  track: Type.Optional(TrackNumber),
  /** As the body of `POST /v1/call/start`. */
  start: Type.Optional(StartBody),
})

const Close = Type.Object({
  type: Type.Literal('close'),
  stream,
  total: Type.Optional(Type.Integer({ minimum: 0, maximum: limits.totalPacketsMax })),
  /** Whether this was the last stream of the call; true where it is absent. */
  completes: Type.Optional(Type.Boolean()),
})

export const Control = Type.Union([Hello, Open, Close])
export type Control = Static<typeof Control>
export type OpenControl = Static<typeof Open>
export type CloseControl = Static<typeof Close>

const check = Compile(Control)

/** Null for what is no control message. */
export function readControl(text: string): Control | null {
  const value = parseJson(text)
  return check.Check(value) ? value : null
}
