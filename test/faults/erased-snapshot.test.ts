/**
 * Every call is erased while a snapshot of all of them is told. Guards against rows that were read before the erasure and
 * are told behind its `call_deleted`: they stayed on pages for ever.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newCall } from '../../src/actors/call-context.js'
import { callMachine } from '../../src/actors/call-machine.js'
import { snapshotOf } from '../../src/actors/call-replay.js'
import { TrackLogs } from '../../src/actors/track-logs.js'
import { callId } from '../support/calls.js'
import { FeedClient } from '../support/feed-client.js'
import { HttpClient } from '../support/http-client.js'
import { append, packetEntry } from '../support/journals.js'
import { startService } from '../support/service.js'
import { close, openJournal } from '../support/sqlite.js'

const calls = 3000
const atOnce = 64

test('of three thousand passive calls that are erased during a snapshot no row is told behind its erasure', async (t) => {
  const { journal, dataDir } = await openJournal(t)
  const now = Date.now()
  for (let first = 0; first < calls; first += 500)
    await Promise.all(
      Array.from({ length: 500 }, (_, i) => {
        const id = callId(`c${first + i}`)
        const logs = new TrackLogs()
        logs.first.mark(0)
        const context = { ...newCall(id, now, now + 3_600_000, logs), lastPacketAt: now }
        const state = callMachine.resolveState({ value: 'IN_PROGRESS', context })
        return append(journal, journal.create(id), [packetEntry(0)], snapshotOf(state, true))
      }),
    )
  await close(journal)
  const service = await startService(t, { dataDir })
  const http = new HttpClient(t, service, atOnce)
  const feed = new FeedClient(t, service)
  let next = 0
  let isBegun = false
  const lane = async () => {
    while (next < calls) {
      const { status } = await http.send('DELETE', `/v1/call/c${next++}`, {})
      assert.equal(status, 204)
    }
  }
  while (!isBegun) {
    isBegun = feed.snapshots.length > 0
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
  await feed.live()
  const isAllTold = () => feed.events.filter(({ event }) => event === 'call_deleted').length === calls
  for (const until = Date.now() + 10_000; !isAllTold() && Date.now() < until; )
    await new Promise((resolve) => setTimeout(resolve, 50))

  const erased = new Set<string>()
  let rows = 0
  let rowsWhileErasing = 0
  const behind: string[] = []
  for (const { message } of feed.messages) {
    if (message.event === 'call_deleted') erased.add(message.call_id)
    if (message.event !== 'snapshot') continue
    for (const { call_id } of message.calls) {
      rows++
      if (erased.size > 0) rowsWhileErasing++
      if (erased.has(call_id)) behind.push(call_id)
    }
  }
  t.diagnostic(
    `${rows} rows, ${rowsWhileErasing} of them after the first erasure; ${erased.size} erasures told`,
  )
  assert.equal(erased.size, calls)
  assert(rowsWhileErasing > 0, 'the snapshot was over before the first erasure')
  assert.deepEqual(behind, [])
})
