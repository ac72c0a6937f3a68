/** Who waits for a page of packets. Guards against thousands of clients whose pages are all in memory at once (V11). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as loopTurn } from 'node:timers/promises'
import { limits } from '../../../../src/limits.js'
import { PacketReads } from '../../../../src/store/sqlite/reading/packet-reads.js'
import type { RecordPage } from '../../../../src/store/sqlite/thread-messages.js'

const nothing: RecordPage = { records: new Uint8Array(0), nextFrom: null }
const largest = { callKey: 1, from: 0, limit: limits.packetsPageMax }
const waiting = { isGone: false }
const atOnce = limits.packetReadBytesMax / limits.pageBytesMax

/** Pages that wait in the writer until they are let go. */
class Trial {
  readonly asked: number[] = []
  readonly #held: (() => void)[] = []
  readonly reads = new PacketReads({
    pending: async ({ from }) => {
      this.asked.push(from)
      await new Promise<void>((resolve) => this.#held.push(resolve))
      return nothing
    },
    read: async (_name, query) => {
      const into = 'into' in query ? query.into : null
      // As it comes back from another thread: another object for the same memory.
      const records =
        into === null ? nothing.records : new Uint8Array(structuredClone(into, { transfer: [into] }))
      return { records, nextFrom: null } as never
    },
  })

  async letGo(): Promise<void> {
    for (const resolve of this.#held.splice(0)) resolve()
    await loopTurn()
  }
}

test('pages are read as many at once as their bytes may be, and the others in the order of asking', async () => {
  const trial = new Trial()
  const all = Array.from({ length: 3 * atOnce }, (_, from) => trial.reads.records({ ...largest, from }))
  const done = Promise.all(all)
  for (const turns of [1, 2, 3]) {
    await loopTurn()
    assert.deepEqual(trial.asked, [...Array(turns * atOnce).keys()])
    await trial.letGo()
  }
  assert.equal((await done).length, 3 * atOnce)
})

test('single packets, which are small, do not wait for one another', async () => {
  const trial = new Trial()
  for (let from = 0; from < 256; from++) void trial.reads.records({ callKey: 1, from, limit: 1 })
  await loopTurn()
  assert.equal(trial.asked.length, 256)
  await trial.letGo()
})

test('a page whose asker has gone while it waited is not read', async () => {
  const trial = new Trial()
  const all = Array.from({ length: atOnce }, () => trial.reads.file(largest, waiting))
  const gone = trial.reads.file({ ...largest, from: 7 }, { isGone: true })
  const refused = assert.rejects(gone, { code: 'timed_out' })
  await loopTurn()
  await trial.letGo()
  await Promise.all([refused, ...all])
  assert(!trial.asked.includes(7))
})

test('the memory of a page that was released serves the next one, and no other', async () => {
  const trial = new Trial()
  const next = async () => {
    const page = trial.reads.records(largest)
    await loopTurn()
    await trial.letGo()
    return await page
  }
  const first = await next()
  const second = await next()
  first.records[0] = 1
  second.records[0] = 2
  first.release()
  assert.equal((await next()).records[0], 1)
  assert.equal((await next()).records[0], 0, 'the other one is still in use')
})
