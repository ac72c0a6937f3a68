/** A page out of runs, completed by what is pending: nothing twice, nothing left out, and the next page is exact. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { limits } from '../../../src/limits.js'
import { mergePage } from '../../../src/store/sqlite/packet-merge.js'
import { packetEntry } from '../../support/journals.js'
import { holds } from '../../support/property.js'

const some = fc.uniqueArray(fc.nat(60), { maxLength: 40 }).map((all) => all.sort((a, b) => a - b))
const cases = fc.record({
  folded: some,
  pending: fc.uniqueArray(fc.nat(60), { maxLength: 40 }),
  limit: fc.integer({ min: 1, max: 45 }),
  /** The page of the runs may have ended before its limit, at its bound of bytes. */
  cutAt: fc.integer({ min: 1, max: 45 }),
})

const packets = (sequences: readonly number[]) => sequences.map((sequence) => packetEntry(sequence))

/** What the reader gives of the runs: the lowest packets from `from` on, and where the next one is. */
function runPage(folded: readonly number[], from: number, count: number) {
  const reached = folded.filter((sequence) => sequence >= from)
  return { page: packets(reached.slice(0, count)), nextFrom: reached[count] ?? null }
}

describe('pages of runs and of pending packets', () => {
  test('hold each packet once, ascending, however they are cut and whatever stands in both', async (t) => {
    // Guards against a packet that is pending behind the end of a run's page and is skipped by the next one.
    let pages = 0
    await holds(t, cases, 500, ({ folded, pending, limit, cutAt }) => {
      const expected = [...new Set([...folded, ...pending])].sort((a, b) => a - b)
      const found: number[] = []
      for (let from: number | null = 0; from !== null; ) {
        const { page, nextFrom } = runPage(folded, from, Math.min(limit, cutAt))
        const merged = mergePage(page, nextFrom, packets(pending), from, limit)
        const sequences = merged.packets.map(({ sequence }) => sequence)
        assert(sequences.length <= limit)
        assert(sequences.length > 0 || merged.nextFrom === null, 'no empty page but the last')
        found.push(...sequences)
        assert.equal(merged.nextFrom, expected[found.length] ?? null)
        from = merged.nextFrom
        pages++
      }
      assert.deepEqual(found, expected)
    })
    assert(pages > 500)
  })

  test('end before their bound of bytes, and hold at least one packet', () => {
    const large = 'y'.repeat(limits.dataBytesMax)
    const pending = [...Array(100).keys()].map((sequence) => packetEntry(sequence, large))
    const page = mergePage([], null, pending, 0, 1000)
    assert(page.packets.length * limits.dataBytesMax <= limits.pageBytesMax)
    assert.equal(page.nextFrom, page.packets.length)
    assert(page.packets.length > 50)
  })
})
