/** Layers with a state of their own: the actor without a store, the feed, the journal on SQLite. */

import { CallActor } from '../../src/actors/call-actor.js'
import type { ReceiptFacts } from '../../src/actors/call-facts.js'
import type { PacketMessage } from '../../src/actors/call-messages.js'
import type { CallPorts } from '../../src/actors/call-ports.js'
import { CallSystem } from '../../src/actors/call-system.js'
import { systemClock } from '../../src/clock.js'
import { EventFeed } from '../../src/feed/event-feed.js'
import { EventStream } from '../../src/feed/event-stream.js'
import { dialectKind } from '../../src/media/dialects.js'
import { MediaSession } from '../../src/media/media-session.js'
import { decodeCallId } from '../../src/protocol/call-id.js'
import { textMedia } from '../../src/protocol/media.js'
import { type CallSnapshot, settlementOf } from '../../src/store/journal.js'
import { SqliteJournal } from '../../src/store/sqlite/sqlite-journal.js'
import { IdleJournal } from '../load/idle-journal.js'
import { dataText } from '../load/packets.js'
import type { Stage } from '../stage/stage.js'
import { kept, type Layer, layer, writeOut } from './layer.js'

const data = Buffer.from(dataText)
const timestamp = 1_700_000_000.02
const calls = 1024
const callsText = calls.toLocaleString('en')
/** So many are sent before the journal commits, as at saturation. */
const batch = 256
const ignore = () => {}
const ignoreReply = { answered: ignore, failed: failLoudly }

function failLoudly(error: Error): never {
  throw error
}

// --- the actor ----------------------------------------------------------------------------------------------------

function portsOn(journal: IdleJournal): CallPorts {
  return {
    journal,
    clock: systemClock,
    graceMs: 3000,
    idleMs: 900_000,
    legGraceMs: { stopped: 0, closed: 0, lost: 0 },
    run: 'bench',
    defaultMedia: textMedia,
    publish: ignore,
    publishPacket: (facts) => {
      kept.value = facts
    },
    publishBlock: ignore,
    arm: ignore,
    analyse: ignore,
    drop: ignore,
    hear: () => 0,
    heard: ignore,
    changed: ignore,
    stateChanged: ignore,
    late: ignore,
    leave: ignore,
    erased: ignore,
    duplicate: ignore,
    compare: ignore,
  }
}

const message = (sequence: number): PacketMessage => ({
  type: 'packet',
  packet: { sequence, data, timestamp },
  replyTo: ignoreReply,
})

function sendAll(journal: IdleJournal, actors: readonly CallActor[], first: number, count: number): void {
  for (let i = first; i < first + count; i++) {
    actors[i % actors.length]?.tell(message(Math.floor(i / actors.length)))
    if (i % batch === batch - 1) journal.commit()
  }
  journal.commit()
}

/** Actors with `before` packets each, on a journal that commits when it is told to. */
function actorsOn(count: number, before: number): { journal: IdleJournal; actors: readonly CallActor[] } {
  const journal = new IdleJournal()
  const ports = portsOn(journal)
  const system = new CallSystem()
  const actors = Array.from({ length: count }, (_, index) => {
    const callId = decodeCallId(`layer-${index}`)
    return new CallActor(system, ports, {
      callId,
      state: null,
      stream: journal.create(callId),
      isSettled: false,
    })
  })
  sendAll(journal, actors, 0, before * count)
  return { journal, actors }
}

export const actorLayers: readonly Layer[] = [
  layer(
    `call actor: a packet, ${callsText} calls, no store`,
    102_400,
    () => actorsOn(calls, 1),
    ({ journal, actors }, operations) => sendAll(journal, actors, calls, operations),
  ),
  layer(
    'call actor: a packet, one call at packet 100,000',
    102_400,
    () => actorsOn(1, 100_000),
    ({ journal, actors }, operations) => sendAll(journal, actors, 100_000, operations),
  ),
]

// --- a media stream -----------------------------------------------------------------------------------------------

const mediaMessages = 102_400
const payload = Buffer.alloc(160, 0xff).toString('base64')

function mediaMessage(call: number, chunk: number): Buffer {
  return Buffer.from(
    `{"event":"media","sequenceNumber":"${chunk + 1}","media":{"track":"inbound","chunk":"${chunk}","timestamp":"${(chunk - 1) * 20}","payload":"${payload}"},"streamSid":"MZ${call}"}`,
  )
}

/** A socket of Twilio's for each of the calls, from which the first packet has come. */
function sessionsOn(count: number) {
  const { journal, actors } = actorsOn(count, 0)
  const sessions = actors.map((actor, call) => {
    const kind = dialectKind('twilio')
    if (kind === undefined) throw new Error('there is no Twilio')
    const session = new MediaSession(
      {
        clock: systemClock,
        held: { bytes: 0 },
        tell: (_, told) => actor.tell(told),
        send: ignore,
        close: failLoudly as never,
        admits: () => ({ onlyCall: null }),
        counted: ignore,
        settledAfter: ignore,
        warn: ignore,
        refused: ignore,
      },
      kind,
      {
        isAdmitted: true,
        onlyCall: null,
        segment: null,
        query: new Map(),
        headers: new Map(),
        newId: () => `leg-${call}`,
      },
    )
    session.message(
      Buffer.from(
        `{"event":"start","sequenceNumber":"1","streamSid":"MZ${call}","start":{"callSid":"layer-${call}","tracks":["inbound"],"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1}}}`,
      ),
      false,
    )
    return session
  })
  journal.commit()
  const messages = Array.from({ length: mediaMessages }, (_, i) =>
    mediaMessage(i % count, Math.floor(i / count) + 1),
  )
  return { journal, sessions, messages }
}

export const mediaLayer: Layer = layer(
  `media stream: a message of Twilio’s, ${callsText} calls, no store`,
  mediaMessages,
  () => sessionsOn(calls),
  ({ journal, sessions, messages }, operations) => {
    for (let i = 0; i < operations; i++) {
      sessions[i % calls]?.message(messages[i] as Buffer, false)
      if (i % batch === batch - 1) journal.commit()
    }
    journal.commit()
  },
)

// --- the feed -----------------------------------------------------------------------------------------------------

const callId = decodeCallId('load1-512')

function received(sequence: number): ReceiptFacts {
  return {
    status: 'accepted',
    callId,
    track: 0,
    sequence,
    totalReceived: sequence + 1,
    missingSequences: [],
    missingCount: 0,
    receivedAt: 1_700_000_000_000 + (sequence >> 6),
    state: 'IN_PROGRESS',
  }
}

/** Supervisors that take everything at once, written to after every 64 events, as a commit would. */
function feedWith(readers: number): { readonly feed: EventFeed; readonly endTurn: () => void } {
  const tasks: (() => void)[] = []
  const feed = new EventFeed('epoch', {
    soon: (task) => tasks.push(task),
    later: (_, task) => tasks.push(task),
  })
  for (let i = 0; i < readers; i++) {
    const stream = new EventStream(feed, systemClock, { kind: 'plain' })
    feed.add({
      pump: () => {
        for (let text = stream.next(); text !== null; text = stream.next()) kept.value = writeOut(text)
        return false
      },
    })
  }
  const endTurn = () => {
    for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) task()
  }
  return { feed, endTurn }
}

export const feedLayers: readonly Layer[] = [0, 1, 50].map((readers) =>
  layer(
    `event feed: publish to ${readers} supervisors`,
    100_000,
    () => feedWith(readers),
    ({ feed, endTurn }, operations) => {
      for (let i = 0; i < operations; i++) {
        feed.publishPacket(received(i))
        if (i % 64 === 63) endTurn()
      }
    },
  ),
)

// --- the journal on SQLite ----------------------------------------------------------------------------------------

const snapshot: CallSnapshot = {
  state: 'IN_PROGRESS',
  createdAt: 1_700_000_000_000,
  dueAt: 4_000_000_000_000,
  endedAt: null,
  isSettled: false,
  body: '{}',
}

async function openJournal(dataDir: string): Promise<SqliteJournal> {
  return SqliteJournal.open({ dataDir, now: systemClock.now(), dueWithin: {}, onFatal: failLoudly })
}

type Streams = readonly ReturnType<SqliteJournal['create']>[]

/** Appends `size` packets at a time and waits for their commit, as a closed loop of so many connections would. */
async function commitAll(
  journal: SqliteJournal,
  streams: Streams,
  packets: number,
  size: number,
): Promise<void> {
  for (let first = 0; first < packets; first += size)
    await new Promise<void>((resolve, reject) => {
      let pending = size
      const answered = () => {
        if (--pending === 0) resolve()
      }
      const settlement = settlementOf({ answered, failed: reject }, undefined)
      for (let i = first; i < first + size; i++) {
        const stream = streams[i % streams.length]
        if (stream === undefined) return reject(new Error('there is no stream'))
        const sequence = Math.floor(i / streams.length)
        const entry = { type: 'packet', sequence, data, timestamp, receivedAt: 1_700_000_000_000 } as const
        journal.append(stream, stream.version, [entry], sequence === 0 ? snapshot : null, settlement)
      }
    })
}

export function sqliteLayers(stage: Stage, packets: number): readonly Layer[] {
  return [64, 256].map((size) => ({
    name: `journal on SQLite: a packet, ${size} a commit, ${callsText} calls, fsync`,
    sample: async () => {
      const folder = stage.newFolder('journal')
      const journal = await openJournal(folder)
      const streams = Array.from({ length: calls }, (_, index) =>
        journal.create(decodeCallId(`layer-${index}`)),
      )
      const startedAt = performance.now()
      await commitAll(journal, streams, packets, size)
      const elapsedMs = performance.now() - startedAt
      await journal.close()
      stage.removeFolder(folder)
      return { operations: packets, elapsedMs }
    },
  }))
}
