/** A track on its line of time: each packet once and in its place, and what did not come in time as missing. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { lateMsMax, TrackLine } from '../../src/insight/track-line.js'
import { holds } from '../support/property.js'

function newLine() {
  const told: string[] = []
  const line = new TrackLine({
    received: ([first]) => told.push(`${first}`),
    missing: (packets) => told.push(`-${packets}`),
  })
  return { line, told }
}

describe('the line of a track', () => {
  test('puts packets that overtook each other in their order', () => {
    const { line, told } = newLine()
    for (const sequence of [0, 2, 3, 1, 4]) line.take(sequence, Uint8Array.of(sequence), sequence * 20)
    assert.deepEqual(told, ['0', '1', '2', '3', '4'])
    assert.deepEqual(line.counts, { received: 5, missing: 0, bursts: 0, late: 0 })
  })

  test('waits 200 ms for what is missing, and then goes on without it', () => {
    const { line, told } = newLine()
    line.take(0, Uint8Array.of(0), 0)
    line.take(3, Uint8Array.of(3), 60)
    line.passTime(60 + lateMsMax - 1)
    assert.deepEqual(told, ['0'])
    line.passTime(60 + lateMsMax)
    assert.deepEqual(told, ['0', '-2', '3'])
    line.take(1, Uint8Array.of(1), 300)
    assert.deepEqual(told, ['0', '-2', '3'], 'what comes later is not told again')
    assert.deepEqual(line.counts, { received: 2, missing: 2, bursts: 1, late: 1 })
  })

  test('goes on at the next packet where some were not looked at', () => {
    const { line, told } = newLine()
    line.take(0, Uint8Array.of(0), 0)
    line.skip()
    line.take(70, Uint8Array.of(70), 1400)
    assert.deepEqual(told, ['0', '70'])
    assert.equal(line.counts.missing, 0)
  })

  test('holds a bounded number of bytes behind a gap', () => {
    const { line } = newLine()
    line.take(0, Uint8Array.of(0), 0)
    for (let sequence = 2; sequence < 200; sequence++) line.take(sequence, new Uint8Array(1600), 0)
    assert.equal(line.counts.missing, 1)
    assert(line.counts.received > 100)
  })

  test('tells all that came in time and once, in any order and with any loss', async (t) => {
    const packet = fc.record({ isLost: fc.boolean(), delay: fc.integer({ min: 0, max: lateMsMax - 40 }) })
    await holds(t, fc.array(packet, { minLength: 1, maxLength: 120 }), 200, (packets) => {
      const { line, told } = newLine()
      const sent = packets.map(({ isLost, delay }, sequence) => ({
        sequence,
        isLost: isLost && sequence > 0,
        at: sequence * 20 + (sequence === 0 ? 0 : delay),
      }))
      const arrived = sent.filter(({ isLost }) => !isLost).sort((a, b) => a.at - b.at)
      for (const { sequence, at } of arrived) {
        line.take(sequence, Uint8Array.of(sequence), at)
        line.passTime(at)
      }
      line.passTime(1e9)
      const received = told.filter((text) => !text.startsWith('-'))
      assert.deepEqual(
        received,
        sent.filter(({ isLost }) => !isLost).map(({ sequence }) => `${sequence}`),
      )
      const last = arrived.reduce((most, { sequence }) => Math.max(most, sequence), 0)
      assert.equal(line.counts.missing, sent.slice(0, last).filter(({ isLost }) => isLost).length)
      assert.equal(line.counts.late, 0)
    })
  })
})
