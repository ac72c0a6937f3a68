/**
 * Every way in which the body of a packet can be wrong (tables C and D, and what JSON lets pass), and the borders of
 * what is right. Numbers are what the text says, so cases are texts.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HttpClient } from '../support/http-client.js'
import { assertProblem } from '../support/problems.js'
import { suiteService } from '../support/suite-service.js'

const good = { sequence: '0', data: '"x"', timestamp: '1' }
const body = (members: Partial<typeof good>, more = ''): string =>
  `{${Object.entries({ ...good, ...members })
    .map(([key, value]) => `"${key}":${value}`)
    .join(',')}${more}}`
const nested = (levels: number): string => `,"extra":${'['.repeat(levels)}${']'.repeat(levels)}`
const bytes = (...parts: (string | number[])[]): Buffer =>
  Buffer.concat(parts.map((part) => Buffer.from(part as string)))
const around = (middle: number[]): Buffer => bytes('{"sequence":0,"timestamp":1,"data":"', middle, '"}')

/** No JSON, or JSON that two readers could read differently: 400. */
const malformed: Record<string, string | Buffer> = {
  'an empty body': '',
  'only spaces': '  \r\n',
  'half an object': body({}).slice(0, -1),
  'two objects': body({}) + body({}),
  'a trailing comma': body({}, ','),
  'single quotes': "{'sequence':0}",
  'a comment': body({}, '/* */'),
  'sequence NaN': body({ sequence: 'NaN' }),
  'timestamp NaN': body({ timestamp: 'NaN' }),
  'timestamp Infinity': body({ timestamp: 'Infinity' }),
  'timestamp -Infinity': body({ timestamp: '-Infinity' }),
  'a leading zero': body({ sequence: '01' }),
  'a plus sign': body({ sequence: '+1' }),
  'a hexadecimal number': body({ sequence: '0x1' }),
  'an underscore in a number': body({ sequence: '1_0' }),
  'a number without digits before the point': body({ timestamp: '.5' }),
  'a number without digits after the point': body({ timestamp: '5.' }),
  undefined: body({ data: 'undefined' }),
  'a raw line feed in a string': body({ data: '"a\nb"' }),
  'a raw U+0000 in a string': body({ data: '"a\0b"' }),
  'a bad escape': body({ data: '"\\x41"' }),
  'half an escape': body({ data: '"\\u12"' }),
  'two byte order marks': bytes([0xef, 0xbb, 0xbf, 0xef, 0xbb, 0xbf], body({})),
  'a byte that is no UTF-8': around([0xff]),
  'half a character': around([0xe2, 0x82]),
  'an overlong character': around([0xc0, 0xaf]),
  'a surrogate in UTF-8': around([0xed, 0xa0, 0x80]),
  'a character above U+10FFFF': around([0xf4, 0x90, 0x80, 0x80]),
  'UTF-16': Buffer.from(body({}), 'utf16le'),
  'the key sequence twice': body({}, ',"sequence":1'),
  'the key data twice': body({}, ',"data":"x"'),
  'the key timestamp twice': body({}, ',"timestamp":1'),
  'a key twice, once with an escape': body({}, ',"\\u0073equence":1'),
  'an ignored key twice': body({}, ',"a":1,"a":1'),
  'the key __proto__': body({}, ',"__proto__":{"sequence":1}'),
  'the key constructor': body({}, ',"constructor":{}'),
  'the key prototype': body({}, ',"prototype":{}'),
  'the key __proto__ with an escape': body({}, ',"__pr\\u006fto__":null'),
  '16 levels in a member': body({}, nested(16)),
  '10,000 levels in a member': body({}, nested(10_000)),
}

/** JSON, but not this: 422, with the member that is wrong. */
const invalid: Record<string, [text: string, path: string]> = {
  'an array': [`[${body({})}]`, ''],
  'an array of 30,000 levels': [`${'['.repeat(30_000)}${']'.repeat(30_000)}`, ''],
  null: ['null', ''],
  true: ['true', ''],
  'a string': ['"packet"', ''],
  'a number': ['7', ''],
  'no sequence': ['{"data":"x","timestamp":1}', ''],
  'no data': ['{"sequence":0,"timestamp":1}', ''],
  'no timestamp': ['{"sequence":0,"data":"x"}', ''],
  'an empty object': ['{}', ''],
  'a key in capitals': ['{"Sequence":0,"data":"x","timestamp":1}', ''],
  ...invalidValues('sequence', [
    '-1',
    '-0',
    '0.0',
    '1.0',
    '1e2',
    '1E2',
    '10e-1',
    '1.5',
    '0.9999999999999999999',
    '1.0000000000000000001',
    '2147483648',
    '4294967296',
    '4294967297',
    '9007199254740991',
    '9007199254740993',
    '9223372036854775808',
    '1000000000000000000000000000000',
    '1e400',
    '-1e400',
    'true',
    'null',
    '"1"',
    '"1_0"',
    '"1.0"',
    '[1]',
    '{"a":1}',
  ]),
  ...invalidValues('timestamp', [
    '0',
    '-0',
    '0.0',
    '-1',
    '1e-400',
    '1e400',
    '-1e400',
    'true',
    'null',
    '"inf"',
    '"1.5"',
    '[1]',
  ]),
  ...invalidValues('data', [
    '""',
    '5',
    'null',
    'true',
    '["x"]',
    '{"a":"x"}',
    '"a\\u0000b"',
    '"\\ud800"',
    '"a\\udc00"',
    '"\\udc00\\ud800"',
    '"\\ud83d\\ud83d\\ude00"',
  ]),
  'data of 32 KiB and a byte': [body({ data: `"${'a'.repeat(32_769)}"` }), '/data'],
  // Bytes are counted, not characters: 10,923 of three bytes are 32,769.
  'data of few characters and too many bytes': [body({ data: `"${'€'.repeat(10_923)}"` }), '/data'],
}

function invalidValues(member: keyof typeof good, texts: readonly string[]): typeof invalid {
  return Object.fromEntries(
    texts.map((text) => [`${member} ${text}`, [body({ [member]: text }), `/${member}`]]),
  )
}

/** The other side of every border: accepted, and read back as it was sent. */
const valid: Record<
  string,
  [text: string, stored: { sequence?: number; data?: string; timestamp?: number }]
> = {
  'sequence 0': [body({ sequence: '0' }), { sequence: 0 }],
  'sequence 2147483647': [body({ sequence: '2147483647' }), { sequence: 2_147_483_647 }],
  'a timestamp with an exponent': [body({ timestamp: '1.5e3' }), { timestamp: 1500 }],
  'a timestamp below 1': [body({ timestamp: '0.25' }), { timestamp: 0.25 }],
  'the smallest timestamp': [body({ timestamp: '5e-324' }), { timestamp: 5e-324 }],
  'the largest timestamp': [
    body({ timestamp: '1.7976931348623157e308' }),
    { timestamp: 1.7976931348623157e308 },
  ],
  'a timestamp of the examples': [body({ timestamp: '1234567890.0' }), { timestamp: 1234567890 }],
  'data of 32 KiB': [body({ data: `"${'a'.repeat(32_768)}"` }), { data: 'a'.repeat(32_768) }],
  'data of 32 KiB in characters of three bytes': [
    body({ data: `"${'€'.repeat(10_922)}ab"` }),
    { data: `${'€'.repeat(10_922)}ab` },
  ],
  'data with escapes': [body({ data: '"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9"' }), { data: '"\\/\b\f\n\r\té' }],
  'a pair of surrogates': [body({ data: '"\\ud83d\\ude00"' }), { data: '😀' }],
  'U+007F and U+FFFD': [body({ data: '"\x7f\ufffd"' }), { data: '\x7f\ufffd' }],
  'a byte order mark within data': [body({ data: '"\ufeffx"' }), { data: '\ufeffx' }],
  'other members': [body({}, ',"codec":"PCMU","sequences":[1,{"data":null}]'), {}],
  '15 levels in a member': [body({}, nested(15)), {}],
  'keys in another order and white space': [
    ' {\t"timestamp" : 1 ,\r\n "data":"x", "sequence" :0 }\n',
    { sequence: 0, data: 'x', timestamp: 1 },
  ],
  'an escaped key': ['{"\\u0073equence":3,"data":"x","timestamp":1}', { sequence: 3 }],
}

describe('a packet', () => {
  const service = suiteService()

  test('that is no JSON is refused with 400 and makes no call', async (t) => {
    const client = new HttpClient(t, service())
    let cases = 0
    for (const [name, text] of Object.entries(malformed)) {
      await t.test(name, async () => {
        const callId = `malformed-${cases++}`
        assertProblem(await client.packet(callId, text), 400)
        assert.equal((await client.call(callId)).status, 404, 'no side effect')
      })
    }
    assert(cases >= 40)
  })

  test('that is not valid is refused with 422 and makes no call', async (t) => {
    const client = new HttpClient(t, service())
    let cases = 0
    for (const [name, [text, path]] of Object.entries(invalid)) {
      await t.test(name, async () => {
        const callId = `invalid-${cases++}`
        const { errors } = assertProblem(await client.packet(callId, text), 422)
        assert(
          errors.some((error) => error.path === path),
          `${path} is not among ${JSON.stringify(errors)}`,
        )
        assert.equal((await client.call(callId)).status, 404, 'no side effect')
      })
    }
    assert(cases >= 60)
  })

  test('that is refused leaves an existing call as it is', async (t) => {
    const client = new HttpClient(t, service())
    await client.packet('existing', body({ sequence: '4' }))
    const before = await client.call('existing')
    const texts = [...Object.values(malformed), ...Object.values(invalid).map(([text]) => text)]
    for (const text of texts) assert((await client.packet('existing', text)).status >= 400)
    assert.deepEqual((await client.call('existing')).body, before.body)
    const { body: page } = await client.get('/v1/call/existing/packets')
    assert.equal((page['packets'] as unknown[]).length, 1)
  })

  test('at the border of what is allowed is stored as it was sent', async (t) => {
    const client = new HttpClient(t, service())
    let cases = 0
    for (const [name, [text, stored]] of Object.entries(valid)) {
      await t.test(name, async () => {
        const callId = `valid-${cases++}`
        const answer = await client.packet(callId, text)
        assert.equal(answer.status, 202, answer.text)
        const { body: page } = await client.get(`/v1/call/${callId}/packets`)
        const [packet] = page['packets'] as Record<string, unknown>[]
        for (const [member, value] of Object.entries(stored)) assert.equal(packet?.[member], value)
      })
    }
    assert.equal(cases, Object.keys(valid).length)
  })
})
