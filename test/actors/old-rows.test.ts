/**
 * A row that the reader has found is read in the call's place while the call is out of memory. Between the read and the
 * look at the row there are turns of the loop: the call may be erased, or live on and fall silent again.
 *
 * Guards against a call that is told again after its `call_deleted`, and stays on pages for ever.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Departures } from '../../src/actors/departures.js'
import { CallSnapshots } from '../../src/feed/call-snapshots.js'
import type { Exchange } from '../../src/http/exchange.js'
import { callRoutes } from '../../src/http/routes/calls.js'
import { Listening } from '../../src/http/routes/listening.js'
import { RecordingMasks } from '../../src/http/routes/recording-masks.js'
import { recordingRoute } from '../../src/http/routes/recordings.js'
import { transcriptRoute } from '../../src/http/routes/transcripts.js'
import { limits } from '../../src/limits.js'
import type { CallReader } from '../../src/store/journal.js'
import { Calls, callId } from '../support/calls.js'
import { turns } from '../support/fake-clock.js'

const id = callId('c1')

interface Row {
  readonly call_id: string
  readonly total_received: number
}

/** Of an exchange: there is always room. */
const room = { room: async () => {}, hold: () => {} }

async function listed({ registry, journal }: Calls, words?: string): Promise<readonly Row[]> {
  const routes = callRoutes({
    registry,
    reader: journal,
    waitingFor: () => null,
    listenersOf: () => null,
    assertUnmasked: () => {},
    heard: () => Promise.resolve(null),
    now: () => 0,
  })
  const list = routes.find(({ path }) => path === '/v1/calls')
  assert(list !== undefined && 'answer' in list)
  let rows: readonly Row[] = []
  const exchange = {
    query: (name: string) => (name === 'q' ? words : undefined),
    search: new URLSearchParams(words === undefined ? {} : { q: words }),
    json: ({ calls }: { calls: readonly Row[] }) => {
      rows = calls
    },
  }
  await list.answer(exchange as unknown as Exchange)
  return rows
}

function pictured(calls: Calls): Promise<readonly Row[]> {
  const { registry, journal, clock } = calls
  const snapshots = new CallSnapshots({
    reader: journal,
    clock,
    mark: () => registry.mark,
    observe: (...asked) => registry.observe(...asked),
    offset: () => calls.events.length,
    positionAt: (offset) => `e.${offset}`,
    endedCalls: () => [id],
    rowSeen: () => {},
    soon: setImmediate,
    failed: (error) => assert.fail(String(error)),
  })
  const rows: Row[] = []
  return new Promise((resolve) =>
    snapshots.join({
      queuedSnapshotBytes: 0,
      addPart: (part) => {
        rows.push(...part.rows.map(({ text }) => JSON.parse(text) as Row))
        if (part.isLast) resolve(rows)
      },
      cutSnapshot: () => null,
      wake: () => {},
      snapshotFailed: () => assert.fail('the snapshot failed'),
    }),
  )
}

const reads: Record<string, (calls: Calls) => Promise<readonly Row[]>> = {
  'a look at one call': async (calls) => {
    const view = await calls.view(id)
    return view === null ? [] : [view]
  },
  'a list of calls': (calls) => listed(calls),
  'a picture of the current calls': pictured,
}

/** An ended call that is out of memory. */
async function silentCall(): Promise<Calls> {
  const calls = new Calls()
  await calls.bring(id, 'ARCHIVED')
  await calls.fallSilent()
  assert.equal((await calls.journal.call(id))?.snapshot.isSettled, true)
  return calls
}

/** `meanwhile` happens after the reader has found the call, and before what it has found is looked at. */
async function readWhile(
  calls: Calls,
  read: (calls: Calls) => Promise<readonly Row[]>,
  meanwhile: () => Promise<unknown>,
): Promise<readonly Row[]> {
  let give = () => {}
  calls.journal.readGate = new Promise((resolve) => {
    give = resolve
  })
  const found = read(calls)
  await turns(40)
  await meanwhile()
  assert.equal(calls.journal.heldReads, 1, 'the reader had found it')
  calls.journal.readGate = null
  give()
  return found
}

for (const [name, read] of Object.entries(reads))
  describe(`${name} that the reader has found`, () => {
    test('has no row of a call that was erased meanwhile', async () => {
      const calls = await silentCall()
      assert.deepEqual(await readWhile(calls, read, () => calls.erase(id).promise), [])
    })

    test('has no row of a call whose erasure began before the read and is over', async () => {
      const calls = await silentCall()
      calls.journal.hold()
      const erased = calls.erase(id)
      await turns()
      const rows = await readWhile(calls, read, async () => {
        calls.journal.commit()
        assert.equal(await erased.promise, 'erased')
      })
      assert.deepEqual(rows, [])
    })

    test('shows the call that has come to the same name, though it is out of memory again', async () => {
      const calls = await silentCall()
      const rows = await readWhile(calls, read, async () => {
        await calls.erase(id).promise
        await calls.packet(id, 0).promise
        await calls.fallSilent()
        assert.equal(calls.registry.isActive(id), false)
      })
      assert.deepEqual([...new Set(rows.map(({ total_received }) => total_received))], [1])
    })
  })

test('a list has no row of a call that was erased while another of its calls was looked at', async () => {
  const calls = new Calls()
  const other = callId('c2')
  await calls.bring(id, 'IN_PROGRESS')
  await calls.packet(other, 0).promise
  // After a failed commit it is out of memory, and its row is not all that there is: it is replayed.
  calls.journal.failures = 1
  await calls.packet(other, 1).promise.catch(() => {})
  assert.deepEqual([calls.registry.isActive(id), calls.registry.isActive(other)], [true, false])
  let open = () => {}
  calls.journal.replayGate = new Promise((resolve) => {
    open = resolve
  })
  const rows = listed(calls)
  await turns()
  assert.equal(calls.registry.activatingCount, 1, 'the list waits for the other call')
  assert.equal(await calls.erase(id).promise, 'erased')
  open()
  assert.deepEqual(
    (await rows).map(({ call_id }) => call_id),
    ['c2'],
  )
})

test('a page of packets of a call that was erased while it was read is not shown', async () => {
  const calls = await silentCall()
  const { registry, journal } = calls
  let give = () => {}
  let read = 0
  const reader: CallReader = Object.create(journal, {
    packetPage: {
      value: async (...[name, from, limit]: Parameters<CallReader['packetPage']>) => {
        const page = await journal.packetPage(name, from, limit)
        read = JSON.parse(Buffer.from(page?.text ?? []).toString()).packets.length
        await new Promise<void>((resolve) => {
          give = resolve
        })
        return page
      },
    },
  })
  const routes = callRoutes({
    registry,
    reader,
    waitingFor: () => null,
    listenersOf: () => null,
    assertUnmasked: () => {},
    heard: () => Promise.resolve(null),
    now: () => 0,
  })
  const packets = routes.find(({ path }) => path === '/v1/call/{call_id}/packets')
  assert(packets !== undefined && 'answer' in packets)
  const exchange = { segment: 'c1', query: () => undefined, send: () => assert.fail('it was shown') }
  const answered = packets.answer(exchange as unknown as Exchange)
  await turns()
  assert.equal(read, 2)
  assert.equal(await calls.erase(id).promise, 'erased')
  give()
  await assert.rejects(async () => answered, { code: 'call_not_found' })
})

test('a recording ends where its call was erased, and does not go on with the next call of its name', async () => {
  const calls = new Calls()
  const samples = (value: number) => Buffer.alloc(160, value).toString('base64')
  const count = 2 * limits.packetsPageMax
  const live = async (value: number) => {
    await calls.describe(id, { media: { encoding: 'mulaw' } }).promise
    for (let sequence = 0; sequence < count; sequence++) calls.packet(id, sequence, samples(value))
    await calls.complete(id, count).promise
    await calls.record(id, { type: 'grace-over', at: 1 }).promise
  }
  await live(1)
  const { registry, journal: reader } = calls
  const nothing = () => {}
  const log = { debug: nothing, info: nothing, warn: nothing, error: nothing, fatal: nothing }
  const listening = new Listening({
    registry,
    reader,
    log,
    isDraining: () => false,
    isRevoked: () => false,
  })
  const masks = new RecordingMasks({ rules: new Set(), reader, unmasked: nothing })
  const route = recordingRoute({ registry, reader, listening, masks })
  assert('answer' in route)
  const heard = new Set<number>()
  let chunks = 0
  const stream = async (...[, , , , audio]: Parameters<Exchange['stream']>) => {
    for await (const chunk of audio) {
      if (chunks > 0) for (const byte of chunk) heard.add(byte)
      if (++chunks !== 2) continue
      await calls.erase(id).promise
      await calls.clock.advance(1)
      await live(2)
    }
  }
  const exchange = {
    segment: 'c1',
    head: {},
    query: () => undefined,
    isHead: false,
    isEnded: false,
    stream,
    ...room,
  } as unknown as Exchange
  await assert.rejects(async () => route.answer(exchange), { code: 'call_not_found' })
  assert(chunks >= 2, 'it had begun')
  assert.deepEqual([...heard], [1])
})

for (const [name, bytes] of [
  ['short', 10],
  ['long', 3 * limits.answerPartBytes],
] as const)
  test(`a ${name} transcript of a call that is erased while it is read or sent is sent no further`, async () => {
    for (const when of ['read', 'sent']) {
      const calls = await silentCall()
      let sent = 0
      const reader: Pick<CallReader, 'transcript'> = {
        async transcript() {
          if (when === 'read') await calls.erase(id).promise
          return Buffer.alloc(bytes)
        },
      }
      const stream = async (...[, , , , parts]: Parameters<Exchange['stream']>) => {
        for await (const part of parts) {
          sent += part.length
          if (when === 'sent') await calls.erase(id).promise
        }
      }
      const send = (...[, , file]: Parameters<Exchange['send']>) => {
        sent += file.length
      }
      const route = transcriptRoute(calls.registry, reader)
      assert('answer' in route)
      const exchange = { segment: 'c1', query: () => undefined, stream, send, ...room } as unknown as Exchange
      const answered = Promise.resolve(route.answer(exchange))
      if (when === 'read' || name === 'long') await assert.rejects(answered, { code: 'call_not_found' })
      else await answered
      const first = name === 'long' ? limits.answerPartBytes : bytes
      assert.equal(sent, when === 'read' ? 0 : first)
    }
  })

test('words that were said on an erased call are not shown with another one of its name', async () => {
  const calls = await silentCall()
  const search = (asked: Calls) => listed(asked, 'hello')
  assert.equal((await search(calls)).length, 1)
  const rows = await readWhile(calls, search, async () => {
    await calls.erase(id).promise
    await calls.clock.advance(1)
    await calls.packet(id, 0).promise
  })
  assert.deepEqual(rows, [])
})

describe('the names of calls that left the memory', () => {
  const names = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => callId(`n${from + i}`))

  test('are told from a mark on, and from an older one than is remembered all count as left', () => {
    const departures = new Departures()
    departures.left(id)
    const { mark } = departures
    assert.equal(departures.hasLeftSince(id, mark - 1), true)
    assert.equal(departures.hasLeftSince(id, mark), false)
    const stays = callId('stays')
    for (const name of names(0, limits.departuresKept)) departures.left(name)
    assert.equal(departures.hasLeftSince(stays, mark), false, 'so many are remembered')
    assert.equal(departures.hasLeftSince(callId('n0'), mark), true)
    for (const name of names(limits.departuresKept, 2 * limits.departuresKept)) departures.left(name)
    assert.equal(departures.hasLeftSince(stays, mark), true, 'nobody knows any more')
    assert.equal(departures.hasLeftSince(stays, departures.mark), false)
  })
})
