/** Feeds dialects by hand and adds up what they tell. */
import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import type { Dialect, DialectRequest, DialectTrack, MediaEvent } from '../../src/media/dialect.js'

export type StartEvent = Extract<MediaEvent, { type: 'start' }>
export type AudioEvent = Extract<MediaEvent, { type: 'audio' }>

export function dialectRequest(
  said: Partial<Omit<DialectRequest, 'query' | 'headers'>> & {
    query?: Readonly<Record<string, string>>
    headers?: Readonly<Record<string, string>>
  } = {},
): DialectRequest {
  const { query = {}, headers = {}, segment = null, newId = () => 'made-up' } = said
  return {
    query: new Map(Object.entries(query)),
    segment,
    // Some servers say an empty text where there is no header.
    headers: { get: (name) => headers[name] ?? '' },
    newId,
  }
}

export type Message = string | object | Uint8Array

/** Texts as they are, objects as JSON, bytes as binary messages. What it tells is copied: audio is a view of the message. */
export function feed(dialect: Dialect, ...messages: readonly Message[]): MediaEvent[] {
  return messages.flatMap((message) => {
    const isBinary = message instanceof Uint8Array
    const bytes = isBinary
      ? message
      : Buffer.from(typeof message === 'string' ? message : JSON.stringify(message))
    const events = dialect.feed(bytes, isBinary).map(copied)
    // Whatever a dialect keeps must be a copy: the socket's memory is used again.
    if (!isBinary) bytes.fill(0x2a)
    return events
  })
}

function copied(event: MediaEvent): MediaEvent {
  return event.type === 'audio' ? { ...event, data: Buffer.from(event.data) } : event
}

export function startsOf(events: readonly MediaEvent[]): StartEvent[] {
  return events.filter((event) => event.type === 'start')
}

export function startOf(events: readonly MediaEvent[]): StartEvent {
  const [start, ...more] = startsOf(events)
  assert(start !== undefined && more.length === 0, `${startsOf(events).length} starts`)
  return start
}

export function audioOf(events: readonly MediaEvent[]): AudioEvent[] {
  return events.filter((event) => event.type === 'audio')
}

export function typesOf(events: readonly MediaEvent[]): string[] {
  return events.map(({ type }) => type)
}

export function bytesOf({ data, isBase64 }: AudioEvent): Buffer {
  return isBase64 ? Buffer.from(Buffer.from(data).toString('latin1'), 'base64') : Buffer.from(data)
}

/** All audio of a track, in the order in which it was told. */
export function soundOf(events: readonly MediaEvent[], track = 0): Buffer {
  return Buffer.concat(
    audioOf(events)
      .filter((event) => event.track === track)
      .map(bytesOf),
  )
}

export function repliesOf(events: readonly MediaEvent[]): unknown[] {
  return events.flatMap((event) =>
    event.type === 'reply'
      ? [typeof event.message === 'string' ? JSON.parse(event.message) : event.message]
      : [],
  )
}

/** What one leg's tracks got, by the indexes that were told. */
export interface TrackAccount {
  readonly track: DialectTrack
  readonly received: number
  /** Twice or more. */
  readonly duplicates: number
  readonly missing: readonly number[]
}

/** One entry a start; holes are counted up to the highest index, or up to the totals of the stop. */
export function accountsOf(events: readonly MediaEvent[]): TrackAccount[][] {
  const legs: { tracks: DialectTrack[]; indexes: number[][]; totals: readonly (number | null)[] | null }[] =
    []
  for (const event of events) {
    const leg = legs.at(-1)
    if (event.type === 'start')
      legs.push({ tracks: [...event.tracks], indexes: event.tracks.map(() => []), totals: null })
    else if (event.type === 'track') {
      leg?.tracks.push(event.track)
      leg?.indexes.push([])
    } else if (event.type === 'audio') {
      const indexes = leg?.indexes[event.track]
      assert(indexes !== undefined, 'audio belongs to a track of a start before it')
      assert(
        event.index === null || (Number.isSafeInteger(event.index) && event.index >= 0),
        `${event.index}`,
      )
      indexes.push(event.index ?? indexes.length)
    } else if (event.type === 'stop' && leg !== undefined) leg.totals = event.totals
  }
  return legs.map(({ tracks, indexes, totals }) =>
    tracks.map((track, place) => {
      const received = new Set(indexes[place])
      const total = totals?.[place] ?? Math.max(-1, ...received) + 1
      const missing = Array.from({ length: total }, (_, index) => index).filter(
        (index) => !received.has(index),
      )
      return {
        track,
        received: received.size,
        duplicates: (indexes[place]?.length ?? 0) - received.size,
        missing,
      }
    }),
  )
}
