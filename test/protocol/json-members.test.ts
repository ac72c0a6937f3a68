import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { scanMembers } from '../../src/protocol/json-members.js'
import { holds } from '../support/property.js'

const space = fc.constantFrom('', '', ' ', '\t', '\n', '\r\n', '  ')
const value = fc.oneof(
  fc.json({ maxDepth: 4 }),
  fc.constantFrom(
    '1.0',
    '-0',
    '1e2',
    '1E+5',
    '0.10',
    '""',
    '"\\""',
    '"}"',
    '"\\\\"',
    '"a,b]"',
    '[ ]',
    '{ }',
    '[1 , {"a":[]}]',
  ),
)
const members = fc.uniqueArray(fc.tuple(fc.string({ unit: 'binary', maxLength: 8 }), value), {
  selector: ([key]) => key,
  maxLength: 6,
})

describe('the members of an object', () => {
  test('are found with the text of their values, as they are written', async (t) => {
    let found = 0
    await holds(t, fc.tuple(members, fc.infiniteStream(space)), 1000, ([all, spaces]) => {
      const s = () => spaces.next().value as string
      const body = all
        .map(([key, text]) => `${s()}${JSON.stringify(key)}${s()}:${s()}${text}${s()}`)
        .join(',')
      const text = `${s()}{${body || s()}}${s()}`
      JSON.parse(text)
      const scan = scanMembers(text)
      assert(scan.kind === 'members', `${scan.kind} of ${text}`)
      assert.deepEqual([...scan.members], all)
      found += scan.members.size
    })
    assert(found > 1000)
  })

  test('are refused when duplicate key, written differently too', () => {
    for (const text of ['{"a":1,"a":1}', '{"a":1,"b":[{"a":3}],"\\u0061":2}', '{"":1,"":2}']) {
      const scan = scanMembers(text)
      assert.equal(scan.kind, 'duplicate-key')
    }
    assert.equal(scanMembers('{"a":{"b":1,"b":2},"b":1}').kind, 'members', 'only the outermost keys are ours')
  })

  test('are refused beyond 16 levels, however many brackets are open', () => {
    const nest = (levels: number, open: string, close: string) =>
      `{"a":${open.repeat(levels)}1${close.repeat(levels)}}`
    for (const [open, close] of [
      ['[', ']'],
      ['{"b":', '}'],
    ] as const) {
      assert.equal(scanMembers(nest(15, open, close)).kind, 'members')
      assert.equal(scanMembers(nest(16, open, close)).kind, 'too-deep')
      assert.equal(scanMembers(nest(10_000, open, close)).kind, 'too-deep')
    }
    assert.equal(scanMembers(`{"a":"${'['.repeat(1000)}"}`).kind, 'members', 'brackets in text are text')
  })

  test('are those of an object only', () => {
    for (const text of ['[]', ' null', '"{}"', '5', 'true'])
      assert.equal(scanMembers(text).kind, 'not-an-object')
    assert.deepEqual(scanMembers(' { } '), { kind: 'members', members: new Map() })
  })
})
