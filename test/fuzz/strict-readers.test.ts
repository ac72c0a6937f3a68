/** The judges of the fuzz: what they hold valid, and what they do not. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { openAdmission } from './admission.js'
import { expectationOf } from './expectation.js'
import { inputOf } from './ground.js'
import { readFrames } from './strict-frames.js'
import { readStream } from './strict-request.js'
import { frame } from './websocket-inputs.js'

const head = 'POST /x HTTP/1.1\r\nHost: a\r\n'
const read = (text: string) => {
  const { requests, rest } = readStream(Buffer.from(text, 'latin1'))
  return [...requests.map(({ certainty, body }) => `${certainty} ${body}`), rest]
}

describe('the strict reading of requests', () => {
  test('takes what RFC 9112 leaves no doubt about', () => {
    assert.deepEqual(read(`${head}Content-Length: 2\r\n\r\nab`), ['plain ab', 'nothing'])
    assert.deepEqual(read(`${head}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n`), [
      'plain abc',
      'nothing',
    ])
    assert.deepEqual(read(`${head}\r\n${head}\r\n`), ['plain ', 'plain ', 'nothing'])
  })

  test('ends at what could be read in two ways, and takes nothing behind it for a request', () => {
    const ambiguous = [
      'Content-Length: 2\r\nContent-Length: 2',
      'Content-Length: 2\r\nTransfer-Encoding: chunked',
      'Content-Length: +2',
      'Content-Length : 2',
      'Transfer-Encoding: gzip, chunked',
      'X: a\r\n folded',
      'X: a\0b',
      'X',
    ]
    for (const lines of ambiguous)
      assert.deepEqual(read(`${head}${lines}\r\n\r\nab${head}\r\n`), ['malformed'], lines)
    assert.deepEqual(read(`${head}Transfer-Encoding: chunked\r\n\r\nz\r\nab\r\n0\r\n\r\n${head}\r\n`), [
      'malformed',
    ])
    assert.deepEqual(read(`${head}Content-Length: 3\r\n\r\nab`), ['truncated'])
  })

  test('knows the forms of old senders: a path behind an authority, empty lines, and a version that is refused', () => {
    const forms = (text: string) => {
      const { requests, rest } = readStream(Buffer.from(text, 'latin1'))
      return [...requests.map(({ certainty, target }) => `${certainty} ${target}`), rest]
    }
    assert.deepEqual(forms('GET http://a:1/x?y HTTP/1.1\r\nHost: a\r\n\r\n'), ['lenient /x?y', 'nothing'])
    assert.deepEqual(forms('GET HTTPS://a HTTP/1.1\r\nHost: a\r\n\r\n'), ['lenient /', 'nothing'])
    assert.deepEqual(forms(`${head}\r\n\r\n${head}\r\n`), ['plain /x', 'lenient /x', 'nothing'])
    assert.deepEqual(forms(`${head.replace('1.1', '1.0')}\r\n`), ['malformed'])
  })

  test('gives a packet its effect, and an invalid one none', () => {
    const packet = (body: string, path = '/v1/call/stream/c') => {
      const lines = `Host: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`
      const [request] = expectationOf(
        inputOf('http', '', [`POST ${path} HTTP/1.1\r\n${lines}\r\n\r\n${body}`]),
        openAdmission,
      ).requests
      return [
        request?.statuses?.join(),
        ...(request?.packets ?? []).map(({ call, sequence }) => `${call}/${sequence}`),
      ]
    }
    assert.deepEqual(packet('{"sequence":1,"data":"x","timestamp":1}'), ['202', 'c/1'])
    assert.deepEqual(packet('{"sequence":1,"data":"x","timestamp":1}', '/v1/call/stream/%63'), ['202', 'c/1'])
    assert.deepEqual(packet('{"sequence":1.0,"data":"x","timestamp":1}'), ['422'])
    assert.deepEqual(packet('{"sequence":1,"sequence":1,"data":"x","timestamp":1}'), ['400'])
    assert.deepEqual(packet('{"sequence":1,"data":"x","timestamp":1}', '/v1/call/stream/%zz'), ['400'])
  })
})

describe('the strict reading of frames', () => {
  const ping = frame({ first: 0x89, payload: Buffer.from('p') })
  const after = (...frames: readonly Buffer[]) => {
    const { pings, end } = readFrames(Buffer.concat([ping, ...frames]))
    return `${pings.join()} ${end}`
  }

  test('goes on over what is right, and ends at what is not', () => {
    assert.equal(after(), 'p open')
    assert.equal(after(frame({ first: 0x81, payload: Buffer.from('é') }), ping), 'p,p open')
    assert.equal(after(frame({ first: 0x01, payload: Buffer.from('a') }), ping), 'p,p partial')
    const wrong = [
      frame({ first: 0xc1, payload: Buffer.from('a') }),
      frame({ first: 0x83, payload: Buffer.from('a') }),
      frame({ first: 0x81, payload: Buffer.from([0xff]) }),
      frame({ first: 0x81, payload: Buffer.alloc(4097, 'a') }),
      frame({ first: 0x09, payload: Buffer.from('a') }),
      frame({ first: 0x89, payload: Buffer.alloc(126) }),
      frame({ first: 0x80, payload: Buffer.from('a') }),
      frame({ first: 0x88, payload: Buffer.from([3, 232]) }),
    ]
    for (const bytes of wrong) assert.equal(after(bytes, ping), 'p over', bytes.toString('hex').slice(0, 20))
    assert.equal(after(ping.subarray(0, 5)), 'p partial')
  })
})
