/** WebSocket handshakes and frames, after the cases of the Autobahn suite: the first write is the handshake. */
import { handshakeLines as everyHandshake, handshakeKey } from '../support/handshake.js'
import type { Random } from '../torture/random.js'
import { cut, type Ground, mutated } from './ground.js'

export const handshakeLines = ['Host: localhost', ...everyHandshake]

export const handshake = (
  lines: readonly string[] = handshakeLines,
  line = 'GET /ws/supervisor HTTP/1.1',
): Buffer => Buffer.from(`${[line, ...lines].join('\r\n')}\r\n\r\n`, 'latin1')

interface FrameParts {
  readonly first: number
  readonly payload: Buffer
  readonly isMasked?: boolean
  /** What the frame says of its length, when that is not what it has. */
  readonly claimed?: bigint
  readonly lengthBytes?: 0 | 2 | 8
}

export function frame(
  { first, payload, isMasked = true, claimed, lengthBytes }: FrameParts,
  mask = 0x1234abcd,
): Buffer {
  const length = claimed ?? BigInt(payload.length)
  const bytes = lengthBytes ?? (length > 65_535n ? 8 : length > 125n ? 2 : 0)
  const head = Buffer.alloc(2 + bytes + (isMasked ? 4 : 0))
  head[0] = first
  head[1] = (isMasked ? 0x80 : 0) | (bytes === 8 ? 127 : bytes === 2 ? 126 : Number(length & 0x7fn))
  if (bytes === 2) head.writeUInt16BE(Number(length & 0xffffn), 2)
  if (bytes === 8) head.writeBigUInt64BE(BigInt.asUintN(64, length), 2)
  const masked = Buffer.from(payload)
  if (isMasked) {
    head.writeUInt32BE(mask, 2 + bytes)
    for (let i = 0; i < masked.length; i++) masked[i] = (masked[i] ?? 0) ^ (head[2 + bytes + (i % 4)] ?? 0)
  }
  return Buffer.concat([head, masked])
}

const words = ['', 'x', '{"since":"x"}', '{', '\0', 'é🎧', '__proto__'].map((text) => Buffer.from(text))
const badUtf8 = ['ff', 'c080', 'eda080', 'f4908080', 'cebae1bdb9cf83cebcceb5eda080656469746564', 'e282'].map(
  (hex) => Buffer.from(hex, 'hex'),
)
const codes = [
  0, 1, 999, 1000, 1001, 1003, 1004, 1005, 1006, 1007, 1011, 1012, 1014, 1015, 1016, 2999, 3000, 4000, 4999,
  5000, 65_535,
]

function payloadOf(random: Random): Buffer {
  if (random.chance(0.3)) return random.pick(words)
  if (random.chance(0.3)) return random.pick(badUtf8)
  return Buffer.alloc(
    random.pick([0, 1, 124, 125, 126, 127, 128, 1000, 4095, 4096, 4097, 5000, 65_535, 65_536, 70_000]),
    'a',
  )
}

function closeFrame(random: Random): Buffer {
  const code = Buffer.alloc(2)
  code.writeUInt16BE(random.pick(codes))
  const reason = random.chance(0.5)
    ? random.pick([...words, ...badUtf8])
    : Buffer.alloc(random.pick([0, 1, 122, 123, 124]), 'r')
  const payload = random.chance(0.15) ? code.subarray(0, random.integer(0, 1)) : Buffer.concat([code, reason])
  return frame({ first: 0x88, payload })
}

type Frames = (random: Random) => readonly Buffer[]

const pingFrame = (payload: Buffer) => frame({ first: 0x89, payload })
const ofSize = (random: Random) => Buffer.alloc(random.integer(0, 125), 'p')

const classes: Readonly<Record<string, Frames>> = {
  messages: (random) =>
    Array.from({ length: random.integer(1, 5) }, () =>
      frame({ first: random.pick([0x81, 0x82]), payload: payloadOf(random) }),
    ),
  pings: (random) => Array.from({ length: random.integer(1, 10) }, () => pingFrame(ofSize(random))),
  flood: (random) => Array.from({ length: random.integer(100, 400) }, () => pingFrame(Buffer.from('p'))),
  opcodes: (random) => [
    pingFrame(ofSize(random)),
    frame({ first: 0x80 | random.integer(0, 15), payload: payloadOf(random) }),
  ],
  'reserved bits': (random) => [
    frame({ first: 0x81 | (random.integer(1, 7) << 4), payload: random.pick(words) }),
    pingFrame(ofSize(random)),
  ],
  unmasked: (random) => [
    frame({ first: random.pick([0x81, 0x82, 0x88, 0x89]), payload: payloadOf(random), isMasked: false }),
  ],
  fragments: (random) => {
    const firsts = [0x01, 0x02, 0x00, 0x00, 0x80, 0x80, 0x81, 0x09, 0x89, 0x08, 0x0a, 0x8a]
    return Array.from({ length: random.integer(2, 7) }, () =>
      frame({ first: random.pick(firsts), payload: random.pick([...words, ...badUtf8]) }),
    )
  },
  'a message in fragments': (random) => {
    const bytes = random.pick([Buffer.from('é🎧'.repeat(20)), ...badUtf8, Buffer.alloc(4200, 'a')])
    const parts = cut(bytes, [random.integer(0, bytes.length), random.integer(0, bytes.length)])
    return parts.flatMap((payload, index) => {
      const first = (index === parts.length - 1 ? 0x80 : 0) | (index === 0 ? 1 : 0)
      return random.chance(0.3)
        ? [frame({ first, payload }), pingFrame(ofSize(random))].slice(0, 2)
        : [frame({ first, payload })]
    })
  },
  lengths: (random) => {
    const claimed = random.pick([
      0n,
      1n,
      125n,
      126n,
      127n,
      65_535n,
      65_536n,
      2n ** 31n,
      2n ** 32n,
      2n ** 63n - 1n,
      2n ** 63n,
      2n ** 64n - 1n,
    ])
    const lengthBytes = random.pick([0, 2, 8] as const)
    return [
      frame({
        first: random.pick([0x81, 0x82, 0x88, 0x89]),
        payload: payloadOf(random),
        claimed,
        lengthBytes,
      }),
    ]
  },
  close: (random) => [pingFrame(ofSize(random)), closeFrame(random), pingFrame(ofSize(random))],
  'broken off': (random) => {
    const bytes = frame({ first: random.pick([0x81, 0x89, 0x82]), payload: payloadOf(random) })
    return [bytes.subarray(0, random.integer(1, bytes.length))]
  },
  mutated: (random) => [
    mutated(
      Buffer.concat([
        pingFrame(ofSize(random)),
        frame({ first: 0x81, payload: random.pick(words) }),
        closeFrame(random),
      ]),
      random,
    ),
  ],
  bytes: (random) => [
    Buffer.from(Array.from({ length: random.integer(1, 200) }, () => random.integer(0, 255))),
  ],
}

function oddHandshake(random: Random): Buffer {
  const changes: readonly (readonly [string, readonly string[]])[] = [
    ['Upgrade', ['Upgrade: h2c', 'Upgrade: WEBSOCKET', 'Upgrade: websocket, x', 'X: 1', 'Upgrade:']],
    [
      'Connection',
      ['Connection: keep-alive', 'Connection: keep-alive, Upgrade', 'Connection: close', 'X: 1'],
    ],
    [
      'Sec-WebSocket-Version',
      [
        'Sec-WebSocket-Version: 8',
        'Sec-WebSocket-Version: 0',
        'Sec-WebSocket-Version: 13, 8',
        'X: 1',
        'Sec-WebSocket-Version: 99999999999',
      ],
    ],
    [
      'Sec-WebSocket-Key',
      [
        'Sec-WebSocket-Key: x',
        'Sec-WebSocket-Key:',
        'X: 1',
        `Sec-WebSocket-Key: ${'A'.repeat(3000)}`,
        `${handshakeKey}\r\n${handshakeKey}`,
      ],
    ],
  ]
  let lines: readonly string[] = handshakeLines
  for (const [name, others] of changes)
    if (random.chance(0.35))
      lines = lines.map((line) => (line.startsWith(`${name}:`) ? random.pick(others) : line))
  const more = [
    'Sec-WebSocket-Protocol: a, b',
    'Sec-WebSocket-Extensions: permessage-deflate',
    'Origin: null',
    'Content-Length: 5',
    'Transfer-Encoding: chunked',
    'Sec-WebSocket-Extensions: \0',
    `Sec-WebSocket-Protocol: ${'p'.repeat(2000)}`,
  ]
  if (random.chance(0.4)) lines = [...lines, random.pick(more)]
  const line = random.chance(0.85)
    ? 'GET /ws/supervisor?since=x%'
    : random.pick([
        'POST /ws/supervisor',
        'GET /ws/supervisor/',
        'GET /ws',
        'HEAD /ws/supervisor',
        'GET /v1/calls',
        'GET /ws/%73upervisor',
      ])
  const bytes = handshake(lines, `${line} HTTP/1.1`)
  return random.chance(0.2) ? mutated(bytes, random) : bytes
}

export function websocketInput({ random }: Ground): readonly [name: string, writes: readonly Buffer[]] {
  if (random.chance(0.25)) return ['handshake', [oddHandshake(random), pingFrame(ofSize(random))]]
  const name = random.pick(Object.keys(classes))
  const bytes = Buffer.concat(classes[name]?.(random) ?? [])
  const frames = random.chance(0.8)
    ? [bytes]
    : cut(bytes, [random.integer(0, bytes.length), random.integer(0, bytes.length)])
  return [name, [handshake(), ...frames]]
}
