/** The scan of the canonical form and the complete way say the same, and both say what the contract says. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { VoiceStreamError } from '../../src/errors.js'
import { type BulkPacket, decodeBulkLine, decodePacket, type Packet } from '../../src/protocol/decode.js'
import { holds } from '../support/property.js'
import { type NaiveDecoding, naiveDecode } from './naive-decode.js'

const space = fc.constantFrom('', '', '', ' ', '  ', '\t', '\n', '\r', ' \n ')

const sequenceText = fc.oneof(
  { weight: 6, arbitrary: fc.nat(2 ** 31 - 1).map(String) },
  fc.constantFrom('0', '1', '2147483646', '2147483647', '2147483648', '4294967296', '9007199254740993', '-1'),
  fc.constantFrom(
    '-0',
    '00',
    '01',
    '1.0',
    '0.0',
    '1e2',
    '1E0',
    '1e400',
    '+1',
    '0x1',
    '99999999999',
    '999999999999',
  ),
  fc.constantFrom('true', 'null', '"5"', '[5]', '{}', '', 'NaN', '1 2', '12345678901234567890'),
)
const decimalText = fc
  .tuple(fc.nat(10 ** 9), fc.bigInt({ min: 0n, max: 10n ** 12n }), fc.nat(12))
  .map(([whole, fraction, digits]) => `${whole}.${fraction.toString().slice(0, digits)}`.replace(/\.$/, ''))
const timestampText = fc.oneof(
  { weight: 5, arbitrary: decimalText },
  fc.double({ min: 1e-7, max: 1e21, noNaN: true }).map((value) => String(value)),
  fc.constantFrom(
    '1',
    '0',
    '-0',
    '0.0',
    '0.5',
    '-1.5',
    '1.',
    '.5',
    '01',
    '1e9',
    '1E-3',
    '1e400',
    '5e-324',
    '1e-400',
  ),
  fc.constantFrom(
    '123456789012345',
    '1234567890123456',
    '9007199254740993',
    '12345678901234.5',
    '1234567890.12345',
  ),
  fc.constantFrom(
    '1234567890.123456',
    '0.30000000000000004',
    '1.7976931348623157e308',
    '12345678901234567890123',
  ),
  fc.constantFrom('true', 'null', '"1"', '[]', '1.5.5', '1..5'),
)
const escape = fc.constantFrom(
  '\\n',
  '\\"',
  '\\\\',
  '\\/',
  '\\u0041',
  '\\u00e9',
  '\\u0000',
  '\\ud83c\\udfa7',
  '\\ud800',
)
const broken = fc.constantFrom('\\udc00', '\\x41', '\\u12', '\n', '\u0000', '\u001f', '"')
const plainText = fc
  .string({ unit: 'grapheme-ascii', maxLength: 20 })
  .map((text) => text.replace(/["\\]/g, '_'))
const dataText = fc.oneof(
  { weight: 6, arbitrary: plainText.map((text) => `"${text}"`) },
  {
    weight: 2,
    arbitrary: fc.array(fc.oneof(plainText, escape), { maxLength: 5 }).map((parts) => `"${parts.join('')}"`),
  },
  fc.array(fc.oneof(plainText, escape, broken), { maxLength: 4 }).map((parts) => `"${parts.join('')}"`),
  fc.constantFrom('"é"', '"日本語🎧"', '"\u007f"', '"\u0080"', '""', '5', 'null', '["x"]', '"\ufeff"'),
  fc.constantFrom(32_767, 32_768, 32_769).map((length) => `"${'x'.repeat(length)}"`),
  fc.constantFrom(16_384, 16_385).map((length) => `"${'é'.repeat(length)}"`),
)
const callIdText = fc.oneof(
  fc.stringMatching(/^[A-Za-z0-9._:-]{1,128}$/).map((text) => `"${text}"`),
  fc.constantFrom(
    '"."',
    '".."',
    '"..."',
    '""',
    '"a b"',
    '"a/b"',
    '"\\u0041"',
    '"é"',
    '5',
    `"${'x'.repeat(129)}"`,
  ),
)
const otherText = fc.oneof(
  fc.json({ maxDepth: 3 }),
  fc.nat(18).map((depth) => '['.repeat(depth) + ']'.repeat(depth)),
  fc.nat(17).map((depth) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`),
)
const member = (keys: readonly string[], value: fc.Arbitrary<string>) =>
  fc.tuple(fc.constantFrom(...keys), value).map(([key, text]) => ({ key, text }))

const sequenceMember = member(
  ['sequence', 'sequence', 'sequence', 'sequence', '\\u0073equence'],
  sequenceText,
)
const dataMember = member(['data', 'data', 'data', 'data', 'd\\u0061ta'], dataText)
const timestampMember = member(['timestamp'], timestampText)
const callIdMember = member(['call_id'], callIdText)
const extraMember = member(
  ['extra', 'Sequence', 'sequence2', 'dat', '', '__proto__', 'constructor', 'toString', 'timestamps', 'é'],
  otherText,
)

const members = fc
  .tuple(
    fc.option(sequenceMember, { freq: 20 }),
    fc.option(dataMember, { freq: 20 }),
    fc.option(timestampMember, { freq: 20 }),
    fc.option(callIdMember, { freq: 2 }),
    fc.oneof(
      { weight: 5, arbitrary: fc.constant([]) },
      fc.array(fc.oneof(extraMember, extraMember, sequenceMember, dataMember), { maxLength: 2 }),
    ),
  )
  .chain(([sequence, data, timestamp, callId, extra]) => {
    const all = [sequence, data, timestamp, callId, ...extra].filter((each) => each !== null)
    return fc.shuffledSubarray(all, { minLength: all.length })
  })

const objectText = fc.tuple(members, fc.infiniteStream(space)).map(([all, spaces]) => {
  const s = () => spaces.next().value as string
  const body = all.map(({ key, text }) => `${s()}"${key}"${s()}:${s()}${text}${s()}`).join(',')
  return `${s()}{${body}${all.length === 0 ? s() : ''}}${s()}`
})

const mutation = fc.record({
  kind: fc.constantFrom('replace', 'insert', 'remove', 'cut'),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  byte: fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('"{}[],:\\ 0129eE.-+'))),
})

type Mutation = { kind: string; at: number; byte: number }

function mutated(bytes: Buffer, { kind, at, byte }: Mutation): Buffer {
  const index = Math.floor(at * bytes.length)
  const [head, tail] = [bytes.subarray(0, index), bytes.subarray(index)]
  if (kind === 'cut') return head
  if (kind === 'insert') return Buffer.concat([head, Buffer.of(byte), tail])
  return Buffer.concat([head, kind === 'replace' ? Buffer.of(byte) : Buffer.alloc(0), tail.subarray(1)])
}

const bodies = fc
  .tuple(
    fc.oneof(
      { weight: 30, arbitrary: objectText },
      fc.constantFrom('', 'null', '5', '"x"', '[1]', '\ufeff{}', '{}x'),
    ),
    fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, fc.array(mutation, { maxLength: 2 })),
  )
  .map(([text, mutations]) => mutations.reduce(mutated, Buffer.from(text)))

function decoded(decode: () => Packet | BulkPacket): NaiveDecoding {
  try {
    const packet = decode()
    return {
      callId: 'callId' in packet ? packet.callId : null,
      sequence: packet.sequence,
      data: Buffer.from(packet.data).toString(),
      timestamp: packet.timestamp,
    }
  } catch (error) {
    assert(error instanceof VoiceStreamError, String(error))
    return error.code as NaiveDecoding
  }
}

const seen = () => new Map<string, number>()
const kindOf = (decoding: NaiveDecoding) => (typeof decoding === 'string' ? decoding : 'packet')
const note = (kinds: Map<string, number>, decoding: NaiveDecoding) =>
  kinds.set(kindOf(decoding), (kinds.get(kindOf(decoding)) ?? 0) + 1)

function assertAllSeen(kinds: ReadonlyMap<string, number>): void {
  for (const kind of ['packet', 'malformed_json', 'schema_violation'])
    assert((kinds.get(kind) ?? 0) > 200, `${kind}: ${kinds.get(kind)}`)
}

describe('a packet decoded quickly is the packet that its text says', () => {
  test('or is refused as the text must be, whatever the bytes', async (t) => {
    // Guards against a scan that reads 1.0, 1e2, a duplicate key, an escape or a rounded time in its own way.
    const kinds = seen()
    await holds(t, bodies, 6000, (bytes) => {
      const expected = naiveDecode(bytes, false)
      note(kinds, expected)
      assert.deepEqual(
        decoded(() => decodePacket(bytes)),
        expected,
        bytes.toString('latin1'),
      )
    })
    assertAllSeen(kinds)
  })

  test('in a bulk line likewise, whatever stands in the lines around it', async (t) => {
    // Guards against a scan that reads on past the end of its line.
    const kinds = seen()
    const around = fc.constantFrom(
      '',
      '\n',
      '}',
      '"',
      '5',
      ',"call_id":"x"}',
      ' {"sequence":1}\n',
      '.5}',
      ' ',
    )
    await holds(t, fc.tuple(around, bodies, around), 6000, ([before, line, after]) => {
      const expected = naiveDecode(line, true)
      note(kinds, expected)
      const all = Buffer.concat([Buffer.from(before), line, Buffer.from(after)])
      const first = Buffer.byteLength(before)
      assert.deepEqual(
        decoded(() => decodeBulkLine(all, first, first + line.length)),
        expected,
        all.toString('latin1'),
      )
    })
    assertAllSeen(kinds)
  })

  test('with its time as the nearest number, for every decimal of up to 17 digits', async (t) => {
    // The quick way divides; beyond 15 digits that would round twice.
    const digits = fc.tuple(fc.bigInt({ min: 1n, max: 10n ** 17n - 1n }), fc.nat(16))
    await holds(t, digits, 5000, ([number, point]) => {
      const all = number.toString()
      const text = point === 0 || point >= all.length ? all : `${all.slice(0, -point)}.${all.slice(-point)}`
      const body = Buffer.from(`{"sequence":1,"data":"x","timestamp":${text}}`)
      assert.equal(decodePacket(body).timestamp, Number(text), text)
    })
  })

  test('with its data as a view of the body where that needs no change, and as a copy elsewhere', () => {
    const canonical = Buffer.from('{"sequence": 5, "data": "audio_chunk_5", "timestamp": 1234567890.0}')
    const { data } = decodePacket(canonical)
    assert.equal(data.buffer, canonical.buffer)
    assert.equal(data.byteOffset, canonical.byteOffset + canonical.indexOf('audio'))
    assert.equal(Buffer.from(data).toString(), 'audio_chunk_5')
    const escaped = Buffer.from('{"sequence":5,"data":"\\u00e9","timestamp":1}')
    const other = decodePacket(escaped).data
    escaped.fill('x')
    assert.equal(Buffer.from(other).toString(), 'é')
  })
})
