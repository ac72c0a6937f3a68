/** Bodies as senders write them, well and badly: for the properties of the decoder. */
import fc from 'fast-check'
import { callIdTexts } from '../support/call-id-texts.js'

/** Most senders write none or single spaces; the quick way must meet many bodies that it can take. */
const spacing = fc.oneof(
  fc.constant(fc.constant('')),
  fc.constant(fc.constantFrom('', ' ', '  ')),
  fc.constant(fc.constantFrom('', '', '', ' ', '\t', '\n', '\r', ' \n ')),
)

const sequenceText = fc.oneof(
  { weight: 25, arbitrary: fc.nat(2 ** 31 - 1).map(String) },
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
  { weight: 15, arbitrary: fc.nat(10 ** 6).map((n) => `1${n}.${n % 1000}`) },
  { weight: 5, arbitrary: decimalText },
  fc.double({ min: 1e-7, max: 1e21, noNaN: true }).map(String),
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

const escaped = fc.constantFrom(
  ...['\\n', '\\"', '\\\\', '\\/', '\\u0041', '\\u00e9', '\\u0000', '\\ud83c\\udfa7', '\\ud800'],
)
const broken = fc.constantFrom('\\udc00', '\\x41', '\\u12', '\n', '\u0000', '\u001f', '"')
const plain = fc.string({ unit: 'grapheme-ascii', maxLength: 20 }).map((text) => text.replace(/["\\]/g, '_'))
const quoted = (parts: readonly string[]) => `"${parts.join('')}"`

const dataText = fc.oneof(
  { weight: 15, arbitrary: plain.map((text) => `"${text}"`) },
  { weight: 2, arbitrary: fc.array(fc.oneof(plain, escaped), { maxLength: 5 }).map(quoted) },
  fc.array(fc.oneof(plain, escaped, broken), { maxLength: 4 }).map(quoted),
  fc.constantFrom('"é"', '"日本語🎧"', '"\u007f"', '"\u0080"', '""', '5', 'null', '["x"]', '"\ufeff"'),
  fc.constantFrom(32_767, 32_768, 32_769).map((length) => `"${'x'.repeat(length)}"`),
  fc.constantFrom(16_384, 16_385).map((length) => `"${'é'.repeat(length)}"`),
)

const callIdText = fc.oneof(
  { weight: 2, arbitrary: fc.stringMatching(/^[A-Za-z0-9._:-]{1,255}$/).map((text) => `"${text}"`) },
  { weight: 2, arbitrary: callIdTexts.map((text) => JSON.stringify(text)) },
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

const often = (key: string, other: string) => [...Array(9).fill(key), other]
const sequence = member(often('sequence', '\\u0073equence'), sequenceText)
const data = member(often('data', 'd\\u0061ta'), dataText)
const timestamp = member(['timestamp'], timestampText)
const callId = member(['call_id'], callIdText)
const extra = member(
  ['extra', 'Sequence', 'sequence2', 'dat', '', '__proto__', 'constructor', 'toString', 'timestamps', 'é'],
  otherText,
)
const noMore = fc.constant([])
const more = fc.array(fc.oneof(extra, extra, sequence, data), { maxLength: 2 })

function members(hasCallId: fc.Arbitrary<boolean>) {
  return fc
    .tuple(
      fc.option(sequence, { freq: 20 }),
      fc.option(data, { freq: 20 }),
      fc.option(timestamp, { freq: 20 }),
      fc.tuple(hasCallId, callId).map(([has, each]) => (has ? each : null)),
      fc.oneof({ weight: 5, arbitrary: noMore }, more),
    )
    .chain(([...all]) => {
      const given = all.flat().filter((each) => each !== null)
      return fc.shuffledSubarray(given, { minLength: given.length })
    })
}

function objectText(hasCallId: fc.Arbitrary<boolean>): fc.Arbitrary<string> {
  const spaces = spacing.chain((space) => fc.infiniteStream(space))
  return fc.tuple(members(hasCallId), spaces, fc.boolean()).map(([all, stream, isIndented]) => {
    const s = () => stream.next().value as string
    const body = all.map(({ key, text }) => `${s()}"${key}"${s()}:${s()}${text}${s()}`).join(',')
    return `${isIndented ? s() : ''}{${body || s()}}${s()}`
  })
}

const mutation = fc.record({
  kind: fc.constantFrom('replace', 'insert', 'remove', 'cut'),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  byte: fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('"{}[],:\\ 0129eE.-+'))),
})

function mutated(bytes: Buffer, { kind, at, byte }: { kind: string; at: number; byte: number }): Buffer {
  const index = Math.floor(at * bytes.length)
  const [head, tail] = [bytes.subarray(0, index), bytes.subarray(index)]
  if (kind === 'cut') return head
  if (kind === 'insert') return Buffer.concat([head, Buffer.of(byte), tail])
  return Buffer.concat([head, kind === 'replace' ? Buffer.of(byte) : Buffer.alloc(0), tail.subarray(1)])
}

/** A body, some of them with a few bytes changed. `hasCallId` says how often it names its call. */
export function packetBodies(hasCallId: fc.Arbitrary<boolean>): fc.Arbitrary<Buffer> {
  return fc
    .tuple(
      fc.oneof(
        { weight: 30, arbitrary: objectText(hasCallId) },
        fc.constantFrom('', 'null', '5', '"x"', '[1]', '\ufeff{}', '{}x'),
      ),
      fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, fc.array(mutation, { maxLength: 2 })),
    )
    .map(([text, mutations]) => mutations.reduce(mutated, Buffer.from(text)))
}
