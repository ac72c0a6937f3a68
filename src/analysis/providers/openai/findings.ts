/**
 * What a chat model says a call means. Its form is taken leniently: the last object that fits, wherever servers and models put it,
 * whatever stands around it, with whatever it holds besides. Its meaning is taken strictly: what does not fit is told back.
 */
import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { limits } from '../../../limits.js'
import { ProviderRejected, ProviderUnavailable } from '../../provider.js'
import { readAnswer } from './answer.js'
import type { ProviderAnswer } from './connection.js'
import { clean } from './heard.js'
import { isObject, type JsonObject, member, numberOf, parseLoosely } from './loose-json.js'

const Label = Type.Union(['positive', 'neutral', 'negative', 'mixed'].map((label) => Type.Literal(label)))
const strict = { additionalProperties: false }
const score = { description: 'From -1, very negative, to 1, very positive.' }
const confidence = { description: 'From 0 to 1.' }
const others = {
  turns: Type.Array(Type.Object({ turn: Type.Integer(), sentiment: Label, score: Type.Number() }, strict), {
    description: 'One for each numbered turn.',
  }),
  summary: Type.String({ description: 'At most three sentences.' }),
  topics: Type.Array(Type.String(), { description: 'At most ten, a few words each.' }),
  action_items: Type.Array(Type.String(), { description: 'At most ten; what somebody promised to do.' }),
}

/** What is asked for. Every property is required and no length is bounded: the strict mode of the hosted servers wants it so. */
export const AskedFindings = Type.Object(
  { sentiment: Label, score: Type.Number(score), confidence: Type.Number(confidence), ...others },
  strict,
)

/** What is taken: a number that is none is unknown. */
const Findings = Type.Object({
  sentiment: Label,
  score: Type.Union([Type.Number(), Type.Null()]),
  confidence: Type.Union([Type.Number(), Type.Null()]),
  ...others,
})
export type Findings = Static<typeof Findings>

const check = Compile(Findings)

export type Reading =
  | { readonly kind: 'found'; readonly findings: Findings }
  | { readonly kind: 'unfit'; readonly content: string; readonly problem: string }

/** Throws where there is no answer, the answer is an error in spite of its 200, or the model refused. */
export function readFindings(answer: Pick<ProviderAnswer, 'headers' | 'text'>): Reading {
  const read = readAnswer(answer, 'chat')
  if (read.kind !== 'object') throw new ProviderUnavailable('chat: 200 without JSON')
  const choice = Array.isArray(read.body['choices']) ? read.body['choices'][0] : undefined
  const message = member(choice, 'message') ?? read.body['message']
  if (isRefusal(message)) throw new ProviderRejected('chat: the model refused')
  const places = placesOf(choice, message, read.body)
  for (const place of places) {
    const findings = fittingIn(place)
    if (findings !== null) return { kind: 'found', findings: bounded(findings) }
  }
  const content = places[0] ?? ''
  const finish = member(choice, 'finish_reason')
  if (finish === 'content_filter') throw new ProviderRejected('chat: the model refused')
  if (typeof content === 'string' && content.trim() === '') {
    if (finish === 'length') throw new ProviderRejected('chat: the answer was cut off before its content')
    throw new ProviderUnavailable('chat: 200 without content')
  }
  const text = typeof content === 'string' ? content : JSON.stringify(content)
  return { kind: 'unfit', content: text, problem: problemOf(content) }
}

function isRefusal(message: unknown): boolean {
  const refusal = member(message, 'refusal')
  const parts = member(message, 'content')
  if (Array.isArray(parts) && parts.some((part) => member(part, 'type') === 'refusal')) return true
  return typeof refusal === 'string' && refusal.trim() !== ''
}

/** Where servers put what a model says, the usual one first: a text, or what they have made of it. */
function placesOf(choice: unknown, message: unknown, body: JsonObject): readonly unknown[] {
  const tools = member(message, 'tool_calls')
  const calls = [...(Array.isArray(tools) ? tools : []), { function: member(message, 'function_call') }]
  return [
    // The last two: a completion of llama.cpp and of Ollama.
    contentText(
      member(message, 'content') ?? member(choice, 'text') ?? body['content'] ?? body['response'] ?? '',
    ),
    member(message, 'parsed'),
    ...calls.map((call) => member(member(call, 'function'), 'arguments')),
    // vLLM with a parser for reasoning has put all of it there.
    member(message, 'reasoning_content'),
    member(message, 'reasoning'),
  ].filter((place) => place !== undefined && place !== null)
}

/** Parts of a content are put behind each other; those that are thought are left out. */
function contentText(content: unknown): unknown {
  if (!Array.isArray(content)) return content
  return content
    .map((part) => (typeof part === 'string' ? part : member(part, 'text')))
    .filter((text) => typeof text === 'string')
    .join('')
}

function fittingIn(place: unknown): Findings | null {
  const whole = typeof place === 'string' && /^\s*"/.test(place) ? parseLoosely(place) : null
  if (typeof whole === 'string') return fittingIn(whole)
  for (const object of objectsIn(typeof place === 'string' ? place : JSON.stringify(place))) {
    const known = knownMembers(object)
    if (check.Check(known)) return known
  }
  return null
}

function problemOf(content: unknown): string {
  for (const object of typeof content === 'string' ? objectsIn(content) : [content]) {
    // One of a turn, say, has nothing of what is asked for.
    if (!isObject(object) || !('sentiment' in object || 'summary' in object) || 'turn' in object) continue
    const [first] = [...check.Errors(knownMembers(object))]
    return `${first?.instancePath || 'the object'} ${first?.message}`
  }
  return 'it contains no JSON object with these members'
}

/** A bound for texts of many braces, each of which may begin an object. */
const scannedCharactersMax = 4 * limits.providerAnswerBytesMax

/** Every object in a text, the last one first: what a model thinks aloud comes before what it says. */
function* objectsIn(text: string): Generator<unknown> {
  let left = scannedCharactersMax
  for (
    let at = text.lastIndexOf('{');
    at >= 0 && left > 0;
    at = at === 0 ? -1 : text.lastIndexOf('{', at - 1)
  ) {
    const end = endOfObject(text, at)
    left -= (end ?? text.length) - at
    if (end === null) continue
    const object = parseLoosely(text.slice(at, end))
    if (isObject(object)) yield object
  }
}

/** Behind the brace that closes the one at `start`; null where none does. */
function endOfObject(text: string, start: number): number | null {
  let depth = 0
  let isString = false
  for (let at = start; at < text.length; at++) {
    const character = text[at]
    if (isString) {
      if (character === '\\') at++
      else if (character === '"') isString = false
    } else if (character === '"') isString = true
    else if (character === '{') depth++
    else if (character === '}' && --depth === 0) return at + 1
  }
  return null
}

/** What was asked for, in the form that it was asked for in. */
function knownMembers(value: unknown): unknown {
  if (!isObject(value)) return value
  const turns = value['turns'] ?? []
  return {
    sentiment: labelOf(value['sentiment']),
    score: numberOrNone(value['score']),
    confidence: numberOrNone(value['confidence']),
    turns: Array.isArray(turns) ? turns.map(turnOf).filter((turn) => turn !== null) : turns,
    summary: value['summary'],
    topics: listOf(value['topics']),
    action_items: listOf(value['action_items']),
  }
}

/** What there is none of is often left out, and one of it not put into a list. */
function listOf(value: unknown): unknown {
  if (value === null || value === undefined) return []
  return typeof value === 'string' ? [value] : value
}

/** Null for one whose score is no number; what else is wrong with it is told. */
function turnOf(value: unknown): unknown {
  if (!isObject(value)) return value
  const score = numberOrNone(value['score'])
  if (score === null) return null
  return { turn: numberOf(value['turn']) ?? value['turn'], sentiment: labelOf(value['sentiment']), score }
}

function labelOf(value: unknown): unknown {
  return typeof value === 'string' ? value.toLowerCase().replace(/^[^a-z]+|[^a-z]+$/g, '') : value
}

/** A text that is no number stays, and does not fit. */
function numberOrNone(value: unknown): unknown {
  return value === null ? null : (numberOf(value) ?? value)
}

/** The strict schema cannot bound anything, so it is done here. */
function bounded(findings: Findings): Findings {
  const short = (text: string, most: number) => clean(text).slice(0, most)
  const list = (texts: readonly string[]) =>
    texts
      .slice(0, limits.findingsListedMax)
      .map((text) => short(text, limits.findingCharactersMax))
      .filter((text) => text !== '')
  const unit = (value: number, least: number) => Math.min(1, Math.max(least, value))
  const known = (value: number | null, least: number) => (value === null ? null : unit(value, least))
  return {
    ...findings,
    score: known(findings.score, -1),
    confidence: known(findings.confidence, 0),
    turns: findings.turns
      .slice(0, limits.transcriptSegmentsMax)
      .map((turn) => ({ ...turn, score: unit(turn.score, -1) })),
    summary: short(findings.summary, limits.summaryCharactersMax),
    topics: list(findings.topics),
    action_items: list(findings.action_items),
  }
}
