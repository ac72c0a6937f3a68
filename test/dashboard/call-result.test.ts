import assert from 'node:assert/strict'
import { test } from 'node:test'
import { detailLinesOf } from '../../src/dashboard/model/call-details.js'
import {
  doubtOf,
  formatOffset,
  spokenLine,
  transcriptLinesOf,
  unheardText,
} from '../../src/dashboard/model/transcript-lines.js'
import type { TranscriptSegment } from '../../src/protocol/analysis.js'
import type { CallView } from '../../src/protocol/call.js'
import type { CallTranscript } from '../../src/protocol/transcript.js'
import { emptyCallView as nobody } from '../support/call-views.js'

const segment = (change: Partial<TranscriptSegment> = {}): TranscriptSegment => ({
  start: 0,
  end: 1,
  channel: 0,
  text: 'hello',
  confidence: null,
  coverage: 1,
  ...change,
})
const transcript = (change: Partial<CallTranscript>): CallTranscript => ({
  call_id: 'a',
  transcription: '',
  sentiment: 'neutral',
  confidence: 1,
  findings: 'done',
  coverage: 1,
  segments: [],
  ...change,
})
const shown = (change: Partial<CallView>) =>
  detailLinesOf({ ...nobody, ...change }).map(({ name, value }) => `${name}: ${value}`)

test('a call of which nobody said anything has no details', () => {
  assert.deepEqual(shown({}), [])
})

test('what was said of a call is listed, and its labels after that', () => {
  assert.deepEqual(shown({ direction: 'inbound', agent: 'maria', metadata: { Agent: 'x', tenant: 'y' } }), [
    'Agent: maria',
    'Direction: Inbound',
    'Carries: Text',
    'Agent: x',
    'tenant: y',
  ])
  const keys = detailLinesOf({ ...nobody, agent: 'maria', metadata: { Agent: 'x' } }).map(({ key }) => key)
  assert.equal(new Set(keys).size, keys.length, 'a label may be called as a detail of ours')
})

test('audio is told even where nothing else was said', () => {
  const media = { encoding: 'mulaw', sample_rate: 8000, channels: 1 } as const
  assert.deepEqual(shown({ media }), ['Carries: G.711 µ-law, 8 kHz, mono'])
  assert.deepEqual(shown({ media: { encoding: 'pcm_s16le', sample_rate: 22_050, channels: 2 } }), [
    'Carries: PCM, 16 bits, 22.05 kHz, stereo',
  ])
})

test('a part that was not received whole says so, and never 100 %', () => {
  const textOf = (coverage: number, of = 'this') => doubtOf(coverage, of)?.text
  assert.equal(doubtOf(1, 'this'), null)
  assert.equal(textOf(0.6), 'only 60 % of this was received')
  assert.equal(textOf(0.58), 'only 58 % of this was received')
  assert.equal(textOf(0.99996), 'only 99.9 % of this was received')
  assert.equal(textOf(1 - 1e-12), 'only 99.9 % of this was received')
  assert.equal(textOf(0.004), 'less than 1 % of this was received')
  assert.equal(textOf(0.6, 'the call'), 'only 60 % of the call was received')
  assert.equal(textOf(0), 'nothing of this was received')
})

test('a packet here and there is told, but is no alarm', () => {
  assert.equal(doubtOf(0.98, 'this')?.isGrave, false)
  assert.equal(doubtOf(0.94, 'this')?.isGrave, true)
})

test('a channel is told where there are several, a feeling where a turn that has one begins', () => {
  assert.equal(transcriptLinesOf(transcript({ segments: [segment({ channel: 1 })] }))[0]?.channel, null)
  const lines = transcriptLinesOf(
    transcript({
      segments: [segment(), segment({ channel: 1 }), segment({ channel: 1 })],
      turns: [
        { first_segment: 0, last_segment: 0, sentiment: 'neutral', score: 0 },
        { first_segment: 1, last_segment: 2, sentiment: 'mixed', score: 0 },
      ],
    }),
  )
  assert.deepEqual(
    lines.map(({ channel, sentiment }) => [channel, sentiment]),
    [
      [0, null],
      [1, 'mixed'],
      [1, null],
    ],
  )
})

test('a time in a call is minutes and seconds, and hours where it has them', () => {
  assert.deepEqual([0, 7.9, 760, 3760].map(formatOffset), ['0:00', '0:07', '12:40', '1:02:40'])
})

test('what was not transcribed is named, the first of many parts', () => {
  assert.equal(unheardText(transcript({})), null)
  const parts = (count: number) =>
    Array.from({ length: count }, (_, part) => ({ channel: 0, start: 60 * part, end: 60 * part + 30 }))
  assert.equal(unheardText(transcript({ unheard: parts(2) })), 'not transcribed: 0:00–0:30, 1:00–1:30')
  assert.match(unheardText(transcript({ unheard: parts(7) })) ?? '', /4:00–4:30 and 2 more$/)
})

test('the line that is heard is the last one that has begun, whoever began it', () => {
  const segments = [0, 4, 4.5, 9].map((start) => segment({ start }))
  const lines = transcriptLinesOf(transcript({ segments }))
  const heard = [0, 3.9, 4, 4.6, 8.97, 500].map((seconds) => spokenLine(lines, seconds))
  assert.deepEqual(heard, [0, 0, 1, 2, 3, 3])
  assert.equal(spokenLine(transcriptLinesOf(transcript({ segments: [segment({ start: 2 })] })), 1), -1)
})
