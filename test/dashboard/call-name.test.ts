/** The page knows by itself what a call may be called, and saves files under names that every disk takes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fileNameOf, isCallName } from '../../src/dashboard/model/call-name.js'
import { callHash, routeOf } from '../../src/dashboard/route.js'
import { callIdTexts, isCallIdText, wordCharacters } from '../support/call-id-texts.js'
import { holds } from '../support/property.js'

test('the page takes a name as the service does', async (t) => {
  const near = fc.string({ unit: fc.constantFrom(...wordCharacters, ...'@@@..//#,; é'), maxLength: 12 })
  await holds(t, fc.oneof(near, callIdTexts), 2000, (text) => {
    assert.equal(isCallName(text), isCallIdText(text), JSON.stringify(text))
  })
  assert(!isCallName('x'.repeat(256)) && isCallName('x'.repeat(255)))
})

test('every call has an address, which leads back to it', async (t) => {
  await holds(t, callIdTexts, 1000, (callId) => {
    const hash = new URL(callHash(callId), 'http://localhost/').hash
    assert.deepEqual(routeOf(hash, 'calls'), { place: 'calls', callId, params: null })
  })
})

test('a file has a name of plain characters, without a path', async (t) => {
  await holds(t, callIdTexts, 1000, (callId) => {
    assert.match(fileNameOf(callId, 'wav'), /^[\w@][\w.@-]*\.wav$/)
    assert(fileNameOf(callId, 'wav').length <= 204)
  })
  assert.equal(fileNameOf('a/b.."c"@[::1]', 'txt'), 'a_b.._c_@___1_.txt')
  assert.equal(fileNameOf('call-1', 'wav'), 'call-1.wav')
})
