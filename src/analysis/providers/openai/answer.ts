/**
 * Reads answers with status 200. The list of accepted forms is short, and every other answer is a failed
 * attempt: an answer of no bytes is not silence, and a page, a broken stream or a file is nothing that somebody said.
 *
 * - a JSON object that tells no error;
 * - a JSON text, or plain text that comes as such and does not begin like a protocol or a file format;
 * - an event stream that has come to its end, which nobody asked for: it is put together to the object it stands for;
 * - subtitles (SubRip, WebVTT, whisper.cpp’s own), as cues.
 */
import { STATUS_CODES } from 'node:http'
import { ProviderUnavailable } from '../../provider.js'
import type { ProviderAnswer } from './connection.js'
import { type Cue, cuesIn } from './cues.js'
import { failureIn } from './failure.js'
import { isObject, type JsonObject, member, parseLoosely } from './loose-json.js'

export type Answer =
  | { readonly kind: 'object'; readonly body: JsonObject }
  | { readonly kind: 'plain'; readonly text: string }
  | { readonly kind: 'cues'; readonly cues: readonly Cue[] }

type Received = Pick<ProviderAnswer, 'headers' | 'text'>

/** Throws what the answer means where it is none. */
export function readAnswer({ headers, text }: Received, what: string): Answer {
  const none = (why: string) => new ProviderUnavailable(`${what}: 200 ${why}`)
  const raw = visible(text)
  if (raw === '') throw none('with no body')
  const type = (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? ''
  const isStream = streamStart.test(raw) || (type === 'text/event-stream' && !/^[{["]/.test(raw))
  const json = isStream ? eventsIn(raw) : parseLoosely(raw)
  if (isStream && json === null) throw none('with a stream that says nothing or breaks off')
  if (json === undefined) return plainAnswer(raw, type, none)
  if (typeof json === 'string') return readText(json, what)
  const failure = failureIn(json, what)
  if (failure !== null) throw failure
  if (!isObject(json)) throw none('with other JSON')
  return { kind: 'object', body: json }
}

/**
 * A text that a server has put into JSON. It may be an answer of another form, dressed once more; whatever else it is, somebody has said it.
 */
export function readText(text: string, what: string): Answer {
  const raw = visible(text)
  const isDressed =
    streamStart.test(raw) || /^(?:\{\s*"|\[\s*\{|<(?:!doctype|html|\?xml))/i.test(raw) || cuesIn(raw) !== null
  return isDressed ? readAnswer({ headers: {}, text: raw }, what) : { kind: 'plain', text: raw }
}

const streamStart = /^(?:(?:data|event|id|retry):|: )/

function visible(text: string): string {
  return text.replace(/^[\s\uFEFF\u200B-\u200D\u2060]+|[\s\uFEFF\u200B-\u200D\u2060]+$/g, '')
}

const plainTypes = new Set([
  '',
  'text/plain',
  'text/vtt',
  'text/srt',
  'application/x-subrip',
  'application/srt',
])
/** Markup, JSON, HTTP, a form, a table, a trace, and the first bytes of files. */
const foreign =
  /^(?:<(?!\|)|\{|\[\s*[[{"\d\]-]|\)\]\}'|HTTP\/\d|--[\w-]{4,}\r?\n|"?start"?[,;\t]"?end"?[,;\t]|\[Script Info\]|Traceback \(|RIFF|OggS|fLaC|ID3|%PDF|[\w-]+: \S+\r?\n[\w-]+: \S)/
/** What programs write for nothing, and proxies for a server that is away. */
const nothing =
  /^(?:None|NaN|undefined|\[object \w+\]|upstream (?:connect error|request timeout)[\s\S]*|no healthy upstream|default backend - 404)$/
const phrases = new Set(
  Object.entries(STATUS_CODES).flatMap(([status, phrase]) =>
    Number(status) < 400 || phrase === undefined ? [] : [phrase.toLowerCase()],
  ),
)

function plainAnswer(raw: string, type: string, none: (why: string) => Error): Answer {
  const cues = cuesIn(raw)
  if (cues !== null && (plainTypes.has(type) || !/html|json|xml/.test(type))) return { kind: 'cues', cues }
  if (!plainTypes.has(type)) throw none('with neither JSON nor plain text')
  if (foreign.test(raw) || /[\0\uFFFD]/.test(raw.slice(0, 64))) throw none('with another format')
  const words = raw.replace(/^(?:error(?: code)?:? ?)?\d{0,3} ?/i, '').toLowerCase()
  if (nothing.test(raw)) throw none('with the words of an error')
  if (words === '' ? /^error/i.test(raw) : phrases.has(words)) throw none('with the words of an error')
  return { kind: 'plain', text: raw }
}

/**
 * Of OpenAI `transcript.text.done` says all; of others parts are put behind each other until one is the last. Null for a
 * stream that says nothing or breaks off.
 */
function eventsIn(raw: string): JsonObject | null {
  const stream = new EventStream()
  for (const event of raw.split(/\r?\n\r?\n|\r\r/)) {
    const lines = event.split(/\r\n|\r|\n/)
    const data = lines.filter((line) => line.startsWith('data:')).map((line) => line.slice(5).trimStart())
    if (data.length === 0) continue
    const isError = lines.some((line) => /^event: ?error/.test(line))
    const whole = stream.take(data.join('\n'), isError)
    if (whole !== null) return whole
  }
  return stream.whole()
}

class EventStream {
  #text = ''
  #hasEnded = false
  #needsEnd = false
  #hasParts = false
  readonly #segments: unknown[] = []

  /** What the whole comes to, where this event says it. */
  take(data: string, isError: boolean): JsonObject | null {
    if (data === '[DONE]') {
      this.#hasEnded = true
      return null
    }
    const event = parseLoosely(data)
    if (isError) return isObject(event) && 'error' in event ? event : { error: event ?? data }
    if (!isObject(event)) return null
    if (event['error'] !== undefined && event['error'] !== null) return event
    const type = event['type']
    if (type === 'transcript.text.done') return { ...event, segments: this.#segments }
    if (type === 'transcript.text.segment') this.#segments.push(event)
    else if (type === 'transcript.text.delta') this.#needsEnd = true
    else return this.#part(event)
    return null
  }

  #part(event: JsonObject): JsonObject | null {
    const choices = event['choices']
    const choice = Array.isArray(choices) ? choices[0] : undefined
    if (member(choice, 'message') !== undefined) return event
    const finish = member(choice, 'finish_reason')
    const text = member(member(choice, 'delta'), 'content') ?? event['text']
    this.#hasParts ||= Array.isArray(choices) || typeof text === 'string'
    this.#needsEnd ||= Array.isArray(choices)
    this.#hasEnded ||= typeof finish === 'string' && finish !== ''
    if (typeof text === 'string') this.#text += text
    if (Array.isArray(event['segments'])) this.#segments.push(...event['segments'])
    else if (typeof event['text'] === 'string' && 'start' in event) this.#segments.push(event)
    return null
  }

  whole(): JsonObject | null {
    if (!this.#hasParts || (this.#needsEnd && !this.#hasEnded)) return null
    const choices = [{ message: { content: this.#text } }]
    return { text: this.#text, segments: this.#segments, choices }
  }
}
