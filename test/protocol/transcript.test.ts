/** A transcript as it is written, and what a call remembers of it. Guards against results that are held, parsed and told whole. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Compile } from 'typebox/compile'
import { limits } from '../../src/limits.js'
import type { AnalysisResult } from '../../src/protocol/analysis.js'
import { CallTranscript, writeTranscript } from '../../src/protocol/transcript.js'
import { longResult } from '../support/ended-calls.js'

const transcriptCheck = Compile(CallTranscript)
const short = { transcription: 'hello', sentiment: 'neutral', confidence: 0.5 } as const

describe('a written transcript', () => {
  test('holds everything that the provider answered', async () => {
    const result: AnalysisResult = {
      ...longResult(700),
      summary: 'An “invoice”',
      topics: ['billing'],
      action_items: [],
    }
    const { text } = await writeTranscript(result, 1)
    const { transcript, ...rest } = result
    assert.deepEqual(JSON.parse(text), { ...rest, ...transcript })
    assert(transcriptCheck.Check({ call_id: 'c1', findings: 'done', ...JSON.parse(text) }))
  })

  test('has one segment for a provider that tells none, and none where nothing was said', async () => {
    const said = JSON.parse((await writeTranscript(short, 0.75)).text)
    assert.deepEqual(said.segments, [
      { start: 0, end: 0, channel: 0, text: 'hello', confidence: null, coverage: 0.75 },
    ])
    assert.equal(said.coverage, 0.75)
    const silent = JSON.parse((await writeTranscript({ ...short, transcription: '' }, 1)).text)
    assert.deepEqual(silent.segments, [])
  })

  test('of 20,000 segments lets the loop go meanwhile', async () => {
    let turns = 0
    let isDone = false
    const count = () => {
      turns++
      if (!isDone) setImmediate(count)
    }
    setImmediate(count)
    await writeTranscript(longResult(20_000), 1)
    isDone = true
    assert(turns > 50, `${turns} turns`)
  })
})

describe('the digest of a result', () => {
  test('is all of a short one', async () => {
    const { digest, text } = await writeTranscript(short, 1)
    const { transcription: beginning, ...rest } = short
    assert.deepEqual(digest, { beginning, isTruncated: false, ...rest, bytes: text.length })
  })

  test('has the beginning of a long one, and says so', async () => {
    const exact = 'x'.repeat(limits.digestCharactersMax)
    const { digest } = await writeTranscript({ ...short, transcription: exact }, 1)
    assert.deepEqual([digest.beginning, digest.isTruncated], [exact, false])
    const longer = await writeTranscript({ ...short, transcription: `${exact}y` }, 1)
    assert.deepEqual([longer.digest.beginning, longer.digest.isTruncated], [exact, true])
  })

  test('never ends within a character', async () => {
    const filling = 'x'.repeat(limits.digestCharactersMax - 1)
    const { digest } = await writeTranscript({ ...short, transcription: `${filling}👂 and more` }, 1)
    assert.equal(digest.beginning, filling)
    assert.equal(digest.isTruncated, true)
  })

  test('counts bytes, not characters', async () => {
    const { digest, text } = await writeTranscript({ ...short, transcription: 'ünïcode 👂' }, 1)
    assert.equal(digest.bytes, Buffer.byteLength(text))
    assert(digest.bytes > text.length)
  })
})
