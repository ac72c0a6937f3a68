import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { eventReference } from '../../src/protocol/event-reference.js'
import { messageSchemas } from '../../src/protocol/feed.js'

test('the event reference is what the schemas say: `npm run docs` writes it anew', () => {
  assert.equal(readFileSync('docs/events.md', 'utf8'), eventReference())
})

test('the event reference names every message and every member of it', () => {
  const text = eventReference()
  for (const { properties } of messageSchemas) {
    assert(text.includes(`### \`${properties.event.const}\``))
    for (const name of Object.keys(properties)) assert(text.includes(`| \`${name}\` |`), name)
  }
})
