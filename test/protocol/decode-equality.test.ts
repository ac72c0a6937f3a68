/** The scan of the canonical form and the complete way say the same, and both say what the contract says. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { VoiceStreamError } from '../../src/errors.js'
import { type BulkPacket, decodeBulkLine, decodePacket, type Packet } from '../../src/protocol/decode.js'
import { holds } from '../support/property.js'
import { type NaiveDecoding, naiveDecode } from './naive-decode.js'
import { packetBodies } from './packet-texts.js'

function outcomeOf(decode: () => Packet | BulkPacket): NaiveDecoding {
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

function isViewOf(data: Uint8Array, body: Uint8Array): boolean {
  const first = data.byteOffset - body.byteOffset
  return data.buffer === body.buffer && first >= 0 && first < body.length
}

/** How many cases came to which end; a property that met none of one kind has not tested it. */
class Kinds {
  readonly #counts = new Map<string, number>()

  note(kind: string): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1)
  }

  noteOutcome(outcome: NaiveDecoding): void {
    this.note(typeof outcome === 'string' ? outcome : 'packet')
  }

  assertEach(kinds: readonly string[], least: number): void {
    for (const kind of kinds)
      assert((this.#counts.get(kind) ?? 0) >= least, JSON.stringify([...this.#counts]))
  }
}

const seldom = fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, fc.constant(true))
const mostly = seldom.map((is) => !is)

describe('a packet decoded quickly is the packet that its text says', () => {
  test('or is refused as the text must be, whatever the bytes', async (t) => {
    // Guards against a scan that reads 1.0, 1e2, a duplicate key, an escape or a rounded time in its own way.
    const kinds = new Kinds()
    await holds(t, packetBodies(seldom), 4000, (bytes) => {
      const expected = naiveDecode(bytes, false)
      kinds.noteOutcome(expected)
      assert.deepEqual(
        outcomeOf(() => decodePacket(bytes)),
        expected,
        bytes.toString('latin1'),
      )
      if (typeof expected !== 'string')
        kinds.note(isViewOf(decodePacket(bytes).data, bytes) ? 'the quick way' : 'the complete way')
    })
    kinds.assertEach(
      ['packet', 'malformed_json', 'schema_violation', 'the quick way', 'the complete way'],
      300,
    )
  })

  test('in a bulk line likewise, whatever stands in the lines around it', async (t) => {
    // Guards against a scan that reads on past the end of its line.
    const kinds = new Kinds()
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
    await holds(t, fc.tuple(around, packetBodies(mostly), around), 4000, ([before, line, after]) => {
      const expected = naiveDecode(line, true)
      kinds.noteOutcome(expected)
      const all = Buffer.concat([Buffer.from(before), line, Buffer.from(after)])
      const first = Buffer.byteLength(before)
      const decode = () => decodeBulkLine(all, first, first + line.length)
      assert.deepEqual(outcomeOf(decode), expected, all.toString('latin1'))
      if (typeof expected !== 'string')
        kinds.note(isViewOf(decode().data, all) ? 'the quick way' : 'the complete way')
    })
    kinds.assertEach(
      ['packet', 'malformed_json', 'schema_violation', 'the quick way', 'the complete way'],
      300,
    )
  })

  test('in a bulk line up to its end, even where the bytes behind it would complete it', () => {
    const line = Buffer.from('{"call_id": "c1", "sequence": 12, "data": "x", "timestamp": 12.5 }  ')
    const brace = line.indexOf('}')
    for (let end = 0; end <= line.length; end++) {
      const outcome = outcomeOf(() => decodeBulkLine(line, 0, end))
      if (end <= brace) assert.equal(outcome, 'malformed_json', `${end} bytes`)
      else assert.deepEqual(outcome, { callId: 'c1', sequence: 12, data: 'x', timestamp: 12.5 })
    }
  })

  test('with its time as the nearest number, for every decimal of up to 17 digits', async (t) => {
    // The quick way divides; beyond 15 digits that would round twice.
    const digits = fc.tuple(fc.bigInt({ min: 1n, max: 10n ** 17n - 1n }), fc.nat(16))
    await holds(t, digits, 3000, ([number, point]) => {
      const all = number.toString()
      const text = point === 0 || point >= all.length ? all : `${all.slice(0, -point)}.${all.slice(-point)}`
      const body = Buffer.from(`{"sequence":1,"data":"x","timestamp":${text}}`)
      assert.equal(decodePacket(body).timestamp, Number(text), text)
    })
  })

  test('with its data as a view of the body where that needs no change, and as a copy elsewhere', () => {
    const canonical = Buffer.from('{"sequence": 5, "data": "audio_chunk_5", "timestamp": 1234567890.0}')
    const { data } = decodePacket(canonical)
    assert.equal(isViewOf(data, canonical), true)
    assert.equal(data.byteOffset, canonical.byteOffset + canonical.indexOf('audio'))
    assert.equal(Buffer.from(data).toString(), 'audio_chunk_5')
    const other = Buffer.from('{"sequence":5,"data":"\\u00e9","timestamp":1}')
    const copy = decodePacket(other).data
    other.fill('x')
    assert.equal(Buffer.from(copy).toString(), 'é')
  })
})
