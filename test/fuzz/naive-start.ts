/** What the contract says of the body of a call's start, by the shortest way, and of none at all. */
import { isObject, type NaiveRefusal, naiveObject } from '../protocol/naive-json.js'

export interface NaiveStart {
  /** What it says of the media: what it leaves out stays as it was. */
  readonly media: Readonly<Record<string, unknown>>
  /** Of `said`, what it says; the others it takes away. */
  readonly texts: Readonly<Record<string, unknown>>
  readonly metadata: Readonly<Record<string, unknown>>
}

export const startTexts = ['direction', 'caller', 'callee', 'agent', 'queue'] as const
export const mediaNames = ['encoding', 'sample_rate', 'channels'] as const
const encodings: readonly unknown[] = ['text', 'mulaw', 'alaw', 'pcm_s16le']
const directions: readonly unknown[] = ['inbound', 'outbound', 'internal']
const loneSurrogate = /[\ud800-\udfff]/u

/** A refusal is one of those named: which rule is looked at first is nobody's business. */
export function naiveStart(body: Buffer): NaiveStart | readonly NaiveRefusal[] {
  if (body.length === 0) return { media: {}, texts: {}, metadata: {} }
  const object = naiveObject(body)
  if (typeof object === 'string') return [object]
  const refusals = new Set<NaiveRefusal>()
  const inner = (name: string): Record<string, unknown> => {
    const value = object.values[name]
    if (value === undefined) return {}
    const found = naiveObject(Buffer.from(object.texts.get(name) ?? ''))
    if (typeof found === 'string') refusals.add(found)
    if (name === 'media' && typeof found !== 'string' && !hasIntegers(found.texts))
      refusals.add('schema_violation')
    return isObject(value) ? value : {}
  }
  const media = inner('media')
  const metadata = inner('metadata')
  if (!isMedia(media) || !isMetadata(metadata) || !areTexts(object.values)) refusals.add('schema_violation')
  if (refusals.size > 0) return [...refusals]
  const some = (names: readonly string[], of: Readonly<Record<string, unknown>>) =>
    Object.fromEntries(names.flatMap((name) => (of[name] === undefined ? [] : [[name, of[name]]])))
  return { media: some(mediaNames, media), texts: some(startTexts, object.values), metadata }
}

function hasIntegers(texts: ReadonlyMap<string, string>): boolean {
  return ['sample_rate', 'channels'].every((name) => /^[1-9][0-9]*$/.test(texts.get(name) ?? '1'))
}

function isMedia({ encoding, sample_rate: rate, channels }: Readonly<Record<string, unknown>>): boolean {
  if (encoding !== undefined && !encodings.includes(encoding)) return false
  if (rate !== undefined && !(typeof rate === 'number' && rate >= 4000 && rate <= 192_000)) return false
  return channels === undefined || (typeof channels === 'number' && channels >= 1 && channels <= 8)
}

function isMetadata(metadata: Readonly<Record<string, unknown>>): boolean {
  const all = Object.entries(metadata)
  return (
    all.length <= 32 && all.every(([key, value]) => /^[A-Za-z0-9._-]{1,64}$/.test(key) && isText(value, 256))
  )
}

function areTexts({ direction, ...others }: Readonly<Record<string, unknown>>): boolean {
  if (direction !== undefined && !directions.includes(direction)) return false
  return startTexts.every((name) => {
    const text = name === 'direction' ? undefined : others[name]
    if (text === undefined) return true
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what a name may not have.
    return isText(text, 128) && text !== '' && !/[\u0000-\u001f\u007f]/.test(text)
  })
}

/** In code points, as JSON Schema counts them. */
function isText(value: unknown, charactersMax: number): value is string {
  if (typeof value !== 'string' || value.includes('\0') || loneSurrogate.test(value)) return false
  return [...value].length <= charactersMax
}
