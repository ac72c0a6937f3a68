/** `simulate --tracks`: calls of several tracks over HTTP, on the real service; each track has its own numbers and faults. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { parseWav } from '../../src/audio/wav-file.js'
import { compareView, type TrackTruth } from '../../src/simulate/account.js'
import { SendLog } from '../../src/simulate/send-log.js'
import { HttpClient } from '../support/http-client.js'
import { runSimulation, speechFile } from '../support/simulation.js'
import { suiteService } from '../support/suite-service.js'
import { muLaw } from '../support/wav-files.js'

interface Track {
  readonly track: number
  readonly name: string
  readonly total_received: number
  readonly missing_count: number
  readonly missing_ranges: readonly unknown[]
}

describe('a simulated call of two tracks', () => {
  const service = suiteService({
    settings: { GRACE_PERIOD_MS: 300, AI_SIMULATED_LATENCY_MIN_MS: 0, AI_SIMULATED_LATENCY_MAX_MS: 0 },
  })
  const impaired =
    '--calls 3 --tracks 2 --speed 50 --seed 9 --loss 4 --reorder 8 --duplicate 6 --late 5 --grace 300'.split(
      ' ',
    )

  test('with all faults is exact, and its tracks have faults of their own', async (t) => {
    const file = speechFile(t, 150)
    const { exitCode, told } = await runSimulation([
      file,
      '--url',
      service().url,
      ...impaired,
      '--prefix',
      'mono-',
    ])
    assert.equal(exitCode, 0, told)
    assert.match(told, /150 packets of 20 ms in each of 2 tracks/)
    assert.match(told, /accounts: every one of 3 is exact/)
    const { body } = await new HttpClient(t, service()).call('mono-1')
    const tracks = body['tracks'] as readonly Track[]
    assert.deepEqual(
      tracks.map(({ track, name }) => [track, name]),
      [
        [0, 'inbound'],
        [1, 'outbound'],
      ],
    )
    assert(tracks.every(({ missing_count }) => missing_count > 0))
    assert.notDeepEqual(tracks[0]?.missing_ranges, tracks[1]?.missing_ranges)
  })

  test('carries the channels of a file that has two, in its own encoding', async (t) => {
    const file = speechFile(t, 60, { ...muLaw, channels: 2 })
    const words = [
      file,
      '--url',
      service().url,
      ...impaired,
      '--loss',
      '0',
      '--late',
      '0',
      '--prefix',
      'duo-',
    ]
    const { exitCode, told } = await runSimulation(words)
    assert.equal(exitCode, 0, told)
    const { body } = await new HttpClient(t, service()).get('/v1/call/duo-2/packets?track=1&limit=1')
    const [packet] = body['packets'] as { data: string }[]
    const { frames } = parseWav(readFileSync(file))
    const right = Buffer.from(frames.subarray(0, 320).filter((_, at) => at % 2 === 1))
    assert(Buffer.from(packet?.data ?? '', 'base64').equals(right), 'every second sample')
  })

  test('is refused for more tracks than the file has channels', async (t) => {
    const file = speechFile(t, 10, { ...muLaw, channels: 2 })
    const { exitCode, told } = await runSimulation([file, '--url', service().url, '--tracks', '3'])
    assert.equal(exitCode, 2)
    assert.match(told, /--tracks 3, but the file has 2 channels/)
  })
})

describe('the account of two tracks', () => {
  const logOf = (sequences: readonly number[]) => {
    const log = new SendLog(10)
    for (const sequence of sequences) log.recordAnswer(sequence, 'accepted', 0)
    log.recordCompletion()
    return log
  }
  const tracks = [logOf([0, 1, 2]), logOf([0, 5])].map(
    (account, track): TrackTruth => ({
      track,
      account,
      isTotalSaid: true,
      expectedPacket: () => ({ data: '', timestamp: 1 }),
    }),
  )
  const truth = { tracks, duplicates: { least: 0, most: 0 }, misplaced: [] }
  const trackView = (track: number, received: number, highest: number) => ({
    track,
    totalReceived: received,
    expectedTotalPackets: 10,
    highestSequence: highest,
    missingCount: 10 - received,
    missingRanges: [],
    lateCount: 0,
  })
  const exact = {
    state: 'ARCHIVED',
    totalReceived: 5,
    expectedTotalPackets: 20,
    highestSequence: 5,
    missingCount: 15,
    missingRanges: [],
    surplusCount: 0,
    lateCount: 0,
    duplicateCount: 0,
    tracks: [trackView(0, 3, 2), trackView(1, 2, 5)],
    legs: [],
    shedCount: 0,
    transcription: null,
    error: null,
  }

  test('agrees with the view of the service', () => {
    assert.deepEqual(compareView(truth, exact), [])
  })

  test('differs where a packet went into the other track, though every sum is right', () => {
    const swapped = { ...exact, tracks: [trackView(0, 2, 2), trackView(1, 3, 5)] }
    assert.deepEqual(
      compareView(truth, swapped).map(({ what }) => what),
      [0, 1].flatMap((track) => [`track ${track}: total_received`, `track ${track}: missing_count`]),
    )
  })

  test('differs where a stream came into the wrong place, and where packets were dropped', () => {
    const misplaced = [{ what: 'stream s: first sequence in track 0', expected: '1 to 5', found: '70' }]
    assert.deepEqual(compareView({ ...truth, misplaced }, exact), misplaced)
    assert.deepEqual(
      compareView(truth, { ...exact, shedCount: 3 }).map(({ found }) => found),
      ['3'],
    )
  })

  test('differs where the view does not tell its tracks apart, or tells others', () => {
    assert.deepEqual(
      compareView(truth, { ...exact, tracks: null }).map(({ what }) => what),
      ['tracks'],
    )
    assert.deepEqual(compareView(truth, { ...exact, tracks: exact.tracks.slice(0, 1) }), [
      { what: 'tracks', expected: '0, 1', found: '0' },
    ])
  })
})
