/** A transcript as subtitles: what a player takes, and what a caller cannot put into it. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { TranscriptSegment } from '../../src/protocol/analysis.js'
import { toSrt, toText, toVtt } from '../../src/protocol/subtitles.js'

const segment = (start: number, end: number, text: string, channel = 0): TranscriptSegment => ({
  start,
  end,
  channel,
  text,
  confidence: null,
  coverage: 1,
})
const segments = [segment(0, 1.25, 'Hello.'), segment(3661.5, 3662.9999, 'Good  bye.', 1)]

describe('a transcript', () => {
  test('is WebVTT', () => {
    assert.equal(
      toVtt(segments),
      'WEBVTT\n\n00:00:00.000 --> 00:00:01.250\n<v Channel 0>Hello.\n\n01:01:01.500 --> 01:01:03.000\n<v Channel 1>Good bye.\n',
    )
  })

  test('is SubRip', () => {
    assert.equal(
      toSrt(segments),
      '1\n00:00:00,000 --> 00:00:01,250\nChannel 0: Hello.\n\n2\n01:01:01,500 --> 01:01:03,000\nChannel 1: Good bye.\n',
    )
  })

  test('is text', () => {
    assert.equal(toText(segments), '[00:00:00.000] Channel 0: Hello.\n[01:01:01.500] Channel 1: Good bye.\n')
  })

  test('of nothing is empty', () => {
    assert.deepEqual([toVtt([]), toSrt([]), toText([])], ['WEBVTT\n', '', ''])
  })

  test('keeps what looks like markup or like a cue as text', () => {
    const hostile = [segment(0, 0, '<img src=x onerror=alert(1)> & \n\n00:00 --> 00:01')]
    assert.match(toVtt(hostile), /&lt;img src=x onerror=alert\(1\)&gt; &amp; 00:00 --&gt; 00:01\n$/)
    assert.doesNotMatch(toSrt(hostile).split('\n').slice(2).join('\n'), /-->/)
  })

  test('without a length is shown all the same', () => {
    assert.match(toVtt([segment(5, 5, 'x')]), /00:00:05\.000 --> 00:00:07\.000/)
  })
})
