/**
 * What real servers send with a status of 200, and what may be stored of it. Guards against an answer of nothing that is archived
 * as silence, against a protocol or a file that is stored as speech, and against good words that are lost for an odd number.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ProviderUnavailable } from '../../../../src/analysis/provider.js'
import { answer, chatAnswer, findings, type Reply } from '../../../support/openai-server.js'
import { never, requestFor, startBench, tone } from './openai-run.js'

type Heard = readonly (readonly [text: string, start: number, end: number])[]
const seconds = 4
const stream = (body: string) => answer(body, 200, { 'Content-Type': 'text/event-stream' })
const event = (data: unknown) => `data: ${JSON.stringify(data)}\n\n`
const chunk = (content: string, finish_reason: string | null = null) =>
  event({ object: 'transcription.chunk', choices: [{ delta: { content }, finish_reason }] })
const json = (text: string) => answer(text, 200, { 'Content-Type': 'application/json' })
const timed = (...times: readonly (readonly [unknown, unknown])[]) => ({
  text: 'one two',
  segments: times.map(([start, end], index) => ({ start, end, text: ['one', 'two'][index] })),
})
const whole: Heard = [['one two', 0, seconds]]
const parted: Heard = [
  ['one', 0, 1.5],
  ['two', 2, 3.5],
]

const heard: readonly (readonly [name: string, reply: Reply, heard: Heard | 'none'])[] = [
  ['no body', answer('', 200), 'none'],
  ['no body, as JSON', json(''), 'none'],
  ['204', answer('', 204), 'none'],
  ['blank lines', answer('\r\n \n'), 'none'],
  ['an empty object', answer({}), 'none'],
  ['a text of null', answer({ text: null, segments: [] }), 'none'],
  ['a job that is accepted', answer({ id: 'job-1', status: 'queued' }, 202), 'none'],
  ['a list of nothing', json('[]'), 'none'],
  ['an empty text: silence', answer({ text: '', segments: [] }), []],
  ['an empty JSON text: silence', json('""'), []],
  ['a text of spaces: silence', answer({ text: '  ' }), []],
  ['a byte order mark', json('\uFEFF{"text":"one two"}'), whole],
  [
    'JSON that says that it is a page',
    answer('{"text":"one two"}', 200, { 'Content-Type': 'text/html' }),
    whole,
  ],
  ['segments and no text', answer({ segments: timed([0, 1.5], [2, 3.5]).segments }), parted],
  ['a text beside segments without one', answer({ text: 'one two', segments: [{ id: 0 }, null] }), whole],

  [
    'deltas and their end',
    stream(
      event({ type: 'transcript.text.delta', delta: 'one' }) +
        event({ type: 'transcript.text.done', text: 'one two' }),
    ),
    whole,
  ],
  [
    'deltas that say they are plain text',
    answer(
      event({ type: 'transcript.text.delta', delta: 'one' }) +
        event({ type: 'transcript.text.done', text: 'one two' }),
    ),
    whole,
  ],
  ['deltas without an end', stream(event({ type: 'transcript.text.delta', delta: 'one' })), 'none'],
  [
    'segments as events',
    stream(
      timed([0, 1.5], [2, 3.5])
        .segments.map((part) => event({ type: 'transcript.text.segment', ...part }))
        .join('') + event({ type: 'transcript.text.done', text: 'one two' }),
    ),
    parted,
  ],
  ['chunks of vLLM', stream(`${chunk('one')}${chunk(' two', 'stop')}data: [DONE]\n\n`), whole],
  ['chunks that break off', stream(chunk('one')), 'none'],
  ['events of speaches', stream(event({ text: 'one' }) + event({ text: ' two' })), whole],
  [
    'events after a comment, with carriage returns',
    stream(
      `: ping\r\n\r\n${event({ type: 'transcript.text.done', text: 'one two' }).replaceAll('\n', '\r\n')}`,
    ),
    whole,
  ],
  ['an error as an event', stream('event: error\ndata: {"message":"overloaded"}\n\n'), 'none'],
  ['a stream of nothing', stream('data: [DONE]\n\n'), 'none'],
  ['a stream that says that there is nothing: silence', stream(`${chunk('', 'stop')}data: [DONE]\n\n`), []],
  ['a stream of pings', stream(': ping\n\n: ping\n\n'), 'none'],

  [
    'SubRip',
    answer('1\n00:00:00,000 --> 00:00:01,500\none\n\n2\n00:00:02,000 --> 00:00:03,500\ntwo\n'),
    parted,
  ],
  [
    'SubRip without blank lines',
    answer('1\r\n00:00:00,000 --> 00:00:01,500\r\none\r\n2\r\n00:00:02,000 --> 00:00:03,500\r\ntwo'),
    parted,
  ],
  [
    'WebVTT',
    answer('WEBVTT\n\n00:00.000 --> 00:01.500 align:left\n<v A>one\n\n00:02.000 --> 00:03.500\ntwo\n', 200, {
      'Content-Type': 'text/vtt',
    }),
    parted,
  ],
  [
    'the lines of whisper.cpp',
    answer('[00:00:00.000 --> 00:00:01.500]   one\n[00:00:02.000 --> 00:00:03.500]   two\n'),
    parted,
  ],
  ['WebVTT of nothing: silence', answer('WEBVTT\n\n'), []],
  ['plain text that begins with a bracket', answer('[Music] one two'), [['[Music] one two', 0, seconds]]],

  ['YouTube’s subtitles', answer('0:00:00.000,0:00:01.500\none\n\n0:00:02.000,0:00:03.500\ntwo\n'), parted],
  [
    'the lines of a song (LRC)',
    answer('[by:whisper.cpp]\n[00:00.00]one\n[00:02.00]two\n'),
    [
      ['one', 0, 2],
      ['two', 2, seconds],
    ],
  ],
  [
    'subtitles in an object',
    answer({ text: '1\n00:00:00,000 --> 00:00:01,500\none\n\n2\n00:00:02,000 --> 00:00:03,500\ntwo\n' }),
    parted,
  ],
  [
    'JSON that says that it is a stream',
    answer('{"text":"one two"}', 200, { 'Content-Type': 'text/event-stream' }),
    whole,
  ],
  ['JSON within a JSON text', json(JSON.stringify(JSON.stringify(timed([0, 1.5], [2, 3.5])))), parted],
  ['JSON within the text of an object', answer({ text: JSON.stringify({ text: 'one two' }) }), whole],
  [
    'a stream within the text of an object',
    answer({ text: event({ type: 'transcript.text.delta', delta: 'one' }) }),
    'none',
  ],
  ['a mark of a recogniser', answer({ text: '<unk> one two' }), [['<unk> one two', 0, seconds]]],
  ['words that look like JSON', answer({ text: '[one] {two}' }), [['[one] {two}', 0, seconds]]],
  ['a number that was said', answer({ text: '123' }), [['123', 0, seconds]]],
  ['a page within a JSON text', json(JSON.stringify('<!DOCTYPE html><p>sign in</p>')), 'none'],
  ['Whisper’s tokens', answer('<|startoftranscript|><|en|><|0.00|> one two<|4.00|>'), whole],
  ['Whisper’s tokens in an object', answer({ text: '<|0.00|> one two<|4.00|>' }), whole],
  ['whisper.cpp’s word for silence', answer({ text: ' [BLANK_AUDIO]\n' }), []],
  [
    'that word in a segment',
    answer({
      text: '',
      segments: [
        { start: 0, end: 4, text: ' [BLANK_AUDIO]' },
        { start: 1, end: 2, text: '(silence)' },
      ],
    }),
    [],
  ],
  [
    'another character set',
    answer(Buffer.from('gr\u00fc\u00df Gott', 'latin1'), 200, {
      'Content-Type': 'text/plain; charset=ISO-8859-1',
    }),
    [['grüß Gott', 0, seconds]],
  ],
  [
    'UTF-16',
    answer(Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from('{"text":"one two"}', 'utf16le')])),
    whole,
  ],
  [
    'an unknown character set',
    answer('one two', 200, { 'Content-Type': 'text/plain; charset=x-none' }),
    whole,
  ],

  ['a table with commas', answer('start,end,text\n0,1500,"one"\n'), 'none'],
  ['a script of subtitles (SSA)', answer('[Script Info]\nTitle: x\n'), 'none'],
  ['a prefix against scripts', answer(')]}\',\n{"text":"one"}'), 'none'],
  [
    'the words of Envoy',
    answer('upstream connect error or disconnect/reset before headers. reset reason: overflow'),
    'none',
  ],
  ['no backend', answer('no healthy upstream'), 'none'],
  ['None of Python', answer('None'), 'none'],
  ['an object of JavaScript', answer('[object Object]'), 'none'],
  ['characters that nobody sees', answer('\u200b\u200b'), 'none'],
  ['no success', answer({ success: false, text: '' }), 'none'],
  ['a status that it failed', answer({ status: 'failed', text: '' }), 'none'],

  ['a page', answer('<!DOCTYPE html><p>sign in</p>'), 'none'],
  ['a page without its first bracket', answer('sign in', 200, { 'Content-Type': 'text/html' }), 'none'],
  ['XML', answer('<?xml version="1.0"?><a/>', 200, { 'Content-Type': 'application/xml' }), 'none'],
  ['half an object that says it is JSON', json('one two'), 'none'],
  ['lines of JSON', answer('{"text":"one"}\n{"text":"two"}\n'), 'none'],
  ['the audio itself', answer(Buffer.from('RIFF\u0001\u0000\u0000\u0000WAVE')), 'none'],
  [
    'bytes',
    answer(Buffer.from([0x80, 0xff, 0x00, 0x01]), 200, { 'Content-Type': 'application/octet-stream' }),
    'none',
  ],
  ['bytes that say they are text', answer(Buffer.from([0x80, 0xff, 0x00, 0x01])), 'none'],
  ['another server’s HTTP', answer('HTTP/1.1 502 Bad Gateway\r\nServer: x\r\n\r\n'), 'none'],
  ['headers', answer('Content-Type: text/plain\nX-Id: 7\n\nhello'), 'none'],
  ['a part of a form', answer('--boundary-1\r\nContent-Disposition: form-data\r\n\r\none'), 'none'],
  ['a table', answer('start\tend\ttext\n0\t1500\tone\n'), 'none'],
  ['a trace', answer('Traceback (most recent call last):\n  File "x.py"'), 'none'],
  ['the words of a status', answer('Internal Server Error'), 'none'],
  ['the words of a proxy', answer('error code: 502'), 'none'],
  ['an error as text', answer({ error: 'failed to process audio' }), 'none'],
  ['an error of vLLM', answer({ object: 'error', message: 'no', code: 500 }), 'none'],
  ['an error in a list (Gemini)', answer([{ error: { code: 503, message: 'no' } }]), 'none'],
  ['an error beside a text', answer({ text: 'one two', error: { code: 500 } }), 'none'],
  ['no error beside a text', answer({ text: 'one two', error: '' }), whole],

  ['NaN for a duration', json('{"text":"one two","duration":NaN}'), whole],
  [
    'NaN within a segment',
    json(
      '{"text":"one two","segments":[{"start":0,"end":1.5,"text":"one","avg_logprob":NaN},{"start":2.0,"end":3.5,"text":"two","no_speech_prob":-Infinity}]}',
    ),
    parted,
  ],
  [
    'NaN for a time',
    json(
      '{"text":"one two","segments":[{"start":NaN,"end":1.5,"text":"one"},{"start":2,"end":3.5,"text":"two"}]}',
    ),
    parted,
  ],
  ['NaN of Windows', json('{"text":"one two","a":-1.#IND,"b":1.#QNAN,"c":1.#INF}'), whole],
  ['undefined', json('{"text":"one two","a":undefined}'), whole],
  [
    'a number beyond all',
    json('{"text":"one two","duration":1e999,"segments":[{"start":0,"end":1e999,"text":"one two"}]}'),
    whole,
  ],
  ['NaN as texts', answer(timed(['NaN', '1.5'], ['2', '3.5'])), parted],
  ['nan of C', json('{"text":"one two","a":-nan,"b":inf,"c":-nan(ind)}'), whole],
  ['NaN that somebody said', json('{"text":"one, NaN","duration":NaN}'), [['one, NaN', 0, seconds]]],
  ['a comma too many, a line end within a text', json('{"text":"one\ntwo",}'), whole],
  [
    'null for all times',
    answer(timed([null, null], [null, null])),
    [
      ['one', 0, seconds],
      ['two', seconds, seconds],
    ],
  ],

  ['milliseconds', answer(timed([0, 1500], [2000, 3500])), parted],
  [
    'milliseconds that fit seconds, with their duration',
    answer({ ...timed([0, 10], [20, 30]), duration: 4000 }),
    [
      ['one', 0, 0.01],
      ['two', 0.02, 0.03],
    ],
  ],
  [
    'seconds beside a duration in milliseconds',
    answer({ ...timed([0, 1.5], [2, 3.5]), duration: 4000 }),
    parted,
  ],
  [
    'milliseconds beside a duration in seconds',
    answer({ ...timed([0, 1500], [2000, 3500]), duration: 4 }),
    parted,
  ],
  ['microseconds', answer(timed([0, 15e5], [2e6, 35e5])), parted],
  ['milliseconds as texts', answer(timed(['0ms', '1500ms'], ['2000 ms', '3500ms'])), parted],
  [
    'a clock without its hours and with a unit',
    answer(timed(['0:00', '0:01.5'], ['0:02', '3.5 sec'])),
    parted,
  ],
  ['nanoseconds (LocalAI)', answer(timed([0, 15e8], [2e9, 35e8])), parted],
  ['seconds as texts', answer(timed(['0.0', '1.5s'], ['2', '3.5'])), parted],
  ['times as a clock', answer(timed(['00:00:00.000', '00:00:01.500'], ['0:02', '00:00:03,5'])), parted],
  [
    'the end of Whisper’s window',
    answer(timed([0, 1.5], [2, 29.98])),
    [
      ['one', 0, 1.5],
      ['two', 2, seconds],
    ],
  ],
  [
    'times of nothing',
    answer(timed([0, 1e30], [7e29, 1e30])),
    [
      ['one', 0, seconds],
      ['two', 0, seconds],
    ],
  ],
  [
    'times that run backwards',
    answer(timed([3, 1], [-2, 3.5])),
    [
      ['one', 3, 3],
      ['two', 3, 3.5],
    ],
  ],
]

describe('an answer of 200 to a piece of audio', () => {
  for (const [name, reply, expected] of heard)
    test(`with ${name} is ${expected === 'none' ? 'a failed attempt' : 'read as what it is'}`, async (t) => {
      const { server, provider } = await startBench(t, (request) =>
        request.file === null ? chatAnswer(findings) : reply,
      )
      const run = provider.analyse(requestFor({ packets: tone(seconds) }), never())
      if (expected === 'none')
        await assert.rejects(run, (thrown) => {
          assert.ok(thrown instanceof ProviderUnavailable, String(thrown))
          return true
        })
      else {
        const { transcript } = await run
        assert.deepEqual(
          transcript?.segments.map(({ text, start, end }) => [text, start, end]),
          expected,
        )
      }
      assert(server.requests.length > 0)
    })
})
