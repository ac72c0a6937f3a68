/** Each refusal with its code, its path and words that never quote somebody's call. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type ErrorCode, VoiceStreamError } from '../../src/errors.js'
import { decodeBulkLine, decodeCompletion, decodePacket } from '../../src/protocol/decode.js'
import { textOf } from '../../src/store/packet-page-file.js'

type Refusal = readonly [what: string, text: string | Buffer, code: ErrorCode, path?: string]

function refusedBy(decode: () => unknown): VoiceStreamError {
  try {
    decode()
  } catch (error) {
    assert(error instanceof VoiceStreamError)
    return error
  }
  return assert.fail('it was not refused')
}

const packet = (members: string) => `{${members}}`
const nested = (levels: number) =>
  `{"sequence":1,"data":"x","timestamp":1,"a":${'['.repeat(levels)}${']'.repeat(levels)}}`

const refusals: readonly Refusal[] = [
  ['nothing', '', 'malformed_json'],
  ['half an object', '{"sequence":1', 'malformed_json'],
  ['something behind the object', '{"sequence":1,"data":"x","timestamp":1}}', 'malformed_json'],
  ['a byte order mark', '\ufeff{"sequence":1,"data":"x","timestamp":1}', 'malformed_json'],
  [
    'bytes that are no UTF-8',
    Buffer.from('{"sequence":1,"data":"\xff","timestamp":1}', 'latin1'),
    'malformed_json',
  ],
  [
    'an overlong encoding',
    Buffer.from('{"sequence":1,"data":"\xc0\x80","timestamp":1}', 'latin1'),
    'malformed_json',
  ],
  ['a raw control character', '{"sequence":1,"data":"\u0001","timestamp":1}', 'malformed_json'],
  ['a key that stands twice', packet('"sequence":1,"sequence":1,"data":"x","timestamp":1'), 'malformed_json'],
  [
    'a key that stands twice in disguise',
    packet('"sequence":1,"\\u0073equence":2,"data":"x","timestamp":1'),
    'malformed_json',
  ],
  ['__proto__', packet('"sequence":1,"data":"x","timestamp":1,"__proto__":{"data":"y"}'), 'malformed_json'],
  ['17 levels', nested(16), 'malformed_json'],
  ['an array', '[]', 'schema_violation', ''],
  ['null', 'null', 'schema_violation', ''],
  ['a missing member', packet('"sequence":1,"timestamp":1'), 'schema_violation', ''],
  ['1.0', packet('"sequence":1.0,"data":"x","timestamp":1'), 'schema_violation', '/sequence'],
  ['1e2', packet('"sequence":1e2,"data":"x","timestamp":1'), 'schema_violation', '/sequence'],
  ['−0', packet('"sequence":-0,"data":"x","timestamp":1'), 'schema_violation', '/sequence'],
  ['−1', packet('"sequence":-1,"data":"x","timestamp":1'), 'schema_violation', '/sequence'],
  ['2^31', packet('"sequence":2147483648,"data":"x","timestamp":1'), 'schema_violation', '/sequence'],
  [
    '2^32, which a 32-bit index would take for 0',
    packet('"sequence":4294967296,"data":"x","timestamp":1'),
    'schema_violation',
    '/sequence',
  ],
  [
    '2^53 + 1, which is no number here',
    packet('"sequence":9007199254740993,"data":"x","timestamp":1'),
    'schema_violation',
    '/sequence',
  ],
  ['1e400', packet('"sequence":1,"data":"x","timestamp":1e400'), 'schema_violation', '/timestamp'],
  ['a time of 0', packet('"sequence":1,"data":"x","timestamp":0'), 'schema_violation', '/timestamp'],
  ['a time before 1970', packet('"sequence":1,"data":"x","timestamp":-5'), 'schema_violation', '/timestamp'],
  [
    'a time that is text',
    packet('"sequence":1,"data":"x","timestamp":"1"'),
    'schema_violation',
    '/timestamp',
  ],
  ['empty data', packet('"sequence":1,"data":"","timestamp":1'), 'schema_violation', '/data'],
  ['a lone surrogate', packet('"sequence":1,"data":"\\ud800x","timestamp":1'), 'schema_violation', '/data'],
  ['U+0000', packet('"sequence":1,"data":"a\\u0000b","timestamp":1'), 'schema_violation', '/data'],
  [
    '32 KiB and a byte',
    packet(`"sequence":1,"data":"${'x'.repeat(32_769)}","timestamp":1`),
    'schema_violation',
    '/data',
  ],
  [
    '32 KiB and a byte in two-byte characters',
    packet(`"sequence":1,"data":"x${'é'.repeat(16_384)}","timestamp":1`),
    'schema_violation',
    '/data',
  ],
]

describe('a packet is refused', () => {
  for (const [what, text, code, path] of refusals)
    test(`with ${code} for ${what}`, () => {
      const error = refusedBy(() => decodePacket(Buffer.from(text as string)))
      assert.equal(error.code, code)
      if (path !== undefined)
        assert(
          error.fields.some((field) => field.path === path),
          JSON.stringify(error.fields),
        )
      assert(error.message.length < 200)
    })

  test('in words that do not say what was in it', () => {
    // Guards against somebody's call in a log line or in another one's answer.
    for (const text of ['{"sequence":1,"data":"secret', '{"data":"secret","sequence":"x","timestamp":1}'])
      assert.doesNotMatch(refusedBy(() => decodePacket(Buffer.from(text))).message, /secret/)
  })

  test('with at most 20 fields, and a long key cut', () => {
    const key = 'k'.repeat(1000)
    const error = refusedBy(() => decodePacket(Buffer.from(`{"${key}":1,"${key}":2}`)))
    assert(error.message.length < 150)
    assert(refusedBy(() => decodePacket(Buffer.from('{}'))).fields.length <= 20)
  })
})

describe('a packet is taken', () => {
  test('at every bound of the contract', () => {
    for (const sequence of [0, 1, 2 ** 31 - 1])
      assert.equal(
        decodePacket(Buffer.from(`{"sequence":${sequence},"data":"x","timestamp":1}`)).sequence,
        sequence,
      )
    for (const data of ['x', 'x'.repeat(32_768), 'é'.repeat(16_384)])
      assert.equal(
        decodePacket(Buffer.from(JSON.stringify({ sequence: 0, data, timestamp: 0.001 }))).data.length,
        Buffer.byteLength(data),
      )
    assert.equal(decodePacket(Buffer.from(nested(15))).sequence, 1)
  })

  test('with members that are not ours, in any order', () => {
    const body = '{"codec":{"name":"G.711"},"timestamp":1e9,"data":"x","toString":null,"sequence":7}'
    assert.equal(decodePacket(Buffer.from(body)).timestamp, 1e9)
  })
})

describe('a bulk line', () => {
  const line = (callId: string) => Buffer.from(`{"call_id":${callId},"sequence":1,"data":"x","timestamp":1}`)
  const decode = (bytes: Buffer) => decodeBulkLine(bytes, 0, bytes.length)

  test('names its call', () => {
    assert.equal(decode(line('"a.b:c_d-1"')).callId, 'a.b:c_d-1')
    assert.equal(decode(line('"\\u0041"')).callId, 'A')
    assert.equal(decode(line('"a/%41\\"@b"')).callId, 'a/%41"@b')
  })

  test('is refused without a call id that may be one', () => {
    for (const callId of [
      '"."',
      '".."',
      '""',
      '"a b"',
      '"a/../b"',
      '"a@b@c"',
      '"a,b"',
      '7',
      'null',
      `"${'x'.repeat(256)}"`,
    ])
      assert.equal(refusedBy(() => decode(line(callId))).code, 'schema_violation', callId)
    assert.equal(
      refusedBy(() => decode(Buffer.from('{"sequence":1,"data":"x","timestamp":1}'))).code,
      'schema_violation',
    )
  })
})

describe('a completion', () => {
  test('names its total, written as digits', () => {
    for (const total of [1, 10, 2 ** 31])
      assert.deepEqual(decodeCompletion(Buffer.from(`{"total_packets":${total}}`)), { totalPackets: total })
    assert.equal(decodeCompletion(Buffer.from(' { "total_packets" : 5 , "why" : [] } ')).totalPackets, 5)
  })

  test('is refused with any other total', () => {
    for (const total of ['-0', '-1', '1.0', '1e1', '2147483649', '"5"', 'null', '[5]'])
      assert.equal(
        refusedBy(() => decodeCompletion(Buffer.from(`{"total_packets":${total}}`))).code,
        'schema_violation',
        total,
      )
    assert.equal(refusedBy(() => decodeCompletion(Buffer.from('{}'))).code, 'schema_violation')
    assert.equal(
      refusedBy(() => decodeCompletion(Buffer.from('{"total_packets":1,"total_packets":2}'))).code,
      'malformed_json',
    )
  })
})

test('data that is read back is text, or an error where it no longer is', () => {
  assert.equal(textOf(Buffer.from('ünïcödé 🎧')), 'ünïcödé 🎧')
  assert.equal(refusedBy(() => textOf(Buffer.from([0x61, 0xff]))).code, 'read_failed')
})
