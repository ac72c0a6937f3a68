/**
 * What supervisors may be told: each message as its schema says, and nothing beside it. The schemas themselves let other
 * members pass, because clients must ignore those that they do not know; so a whole result went out in one that the
 * documents have with four members.
 */
import assert from 'node:assert/strict'
import { Compile } from 'typebox/compile'
import { type FeedMessage, messageSchemas } from '../../src/protocol/feed.js'

interface Shape {
  properties?: Record<string, Shape>
  patternProperties?: Record<string, Shape>
  items?: Shape | Shape[]
  anyOf?: Shape[]
  additionalProperties?: boolean
}

/** As JSON: nothing of it is the schema itself. */
function closed(shape: Shape): Shape {
  const { properties, patternProperties, items, anyOf } = shape
  if (properties !== undefined || patternProperties !== undefined) shape.additionalProperties = false
  const inner = [properties ?? {}, patternProperties ?? {}, [items ?? []].flat(), anyOf ?? []]
  for (const each of inner.flatMap((shapes) => Object.values(shapes))) closed(each)
  return shape
}

const checks = new Map(
  messageSchemas.map((schema) => [
    schema.properties.event.const as string,
    Compile(closed(JSON.parse(JSON.stringify(schema)))),
  ]),
)

/** Throws where it is none, or says more than one may. */
export function toldMessage(text: string): FeedMessage {
  const message: { event: string } = JSON.parse(text)
  const check = checks.get(message.event)
  if (check === undefined) throw new Error(`this is no message: ${text.slice(0, 500)}`)
  const faults = check.Errors(message).map(({ instancePath, message: fault }) => `${instancePath} ${fault}`)
  assert.deepEqual(faults, [], `this is no ${message.event}: ${text.slice(0, 500)}`)
  return message as unknown as FeedMessage
}
