/** A call's start: from bytes to checked words. Its objects are checked as the body itself is, one level deeper. */
import { Compile } from 'typebox/compile'
import { checkIntegerText, checkSchema, checkText, parseObject, violation } from './decode.js'
import { StartBody } from './media.js'

const startCheck = Compile(StartBody)

/** Nothing at all says nothing of the call. Throws `malformed_json` or `schema_violation`. */
export function decodeStart(body: Uint8Array): StartBody {
  if (body.length === 0) return {}
  const object = parseObject(body)
  checkSchema(startCheck, object)
  const { media, metadata, tracks, ...said } = object.values as StartBody
  checkTracks(tracks ?? [])
  const mediaText = object.texts.get('media')
  if (media !== undefined && mediaText !== undefined) {
    const inner = parseObject(Buffer.from(mediaText))
    for (const key of ['sample_rate', 'channels'])
      if (inner.texts.has(key)) checkIntegerText(inner, key, '/media')
  }
  const metadataText = object.texts.get('metadata')
  if (metadataText !== undefined) parseObject(Buffer.from(metadataText))
  // Other members are ignored, whatever they hold.
  checkTexts(
    '',
    Object.fromEntries(Object.entries(said).filter(([key]) => Object.hasOwn(StartBody.properties, key))),
  )
  checkTexts('/metadata', metadata ?? {})
  return object.values as StartBody
}

/** Each number once. */
function checkTracks(tracks: readonly { readonly track: number; readonly name: string }[]): void {
  const seen = new Set<number>()
  for (const [index, { track, name }] of tracks.entries()) {
    checkText(`/tracks/${index}/name`, name)
    if (seen.has(track)) throw violation([{ path: `/tracks/${index}/track`, message: 'stands twice' }])
    seen.add(track)
  }
}

function checkTexts(path: string, texts: Readonly<Record<string, unknown>>): void {
  for (const [key, text] of Object.entries(texts))
    if (typeof text === 'string') checkText(`${path}/${key}`, text)
}
