/** The ways in which an AI server fails, and what a call must come to that meets nothing else. */
import { gzipSync } from 'node:zlib'
import { answer, type Reply } from '../support/openai-server.js'

export interface ProviderMode {
  readonly name: string
  /** What a request of a call meets, the first one is 0; null: a good answer. */
  reply(request: number): Reply | null
  readonly ends: 'ARCHIVED' | 'FAILED'
  /** Requests for a call's transcription, exactly; null: how many is not the mode's business. */
  readonly requests: number | null
  /** What the call says of it. */
  readonly error: RegExp | null
  /** At least so long passes between two requests of a call. */
  readonly waitMs?: number
  /** An answer never ends: its connection must be closed at the deadline. */
  readonly isEndless?: true
}

const mib = 1024 * 1024
const floodBytes = 50 * mib
const always = (reply: Reply) => () => reply
const overloaded = (headers: Record<string, string>): Reply =>
  answer({ error: { code: 'rate_limit_exceeded', message: 'slow down' } }, 429, headers)
const bomb = gzipSync(Buffer.alloc(floodBytes, '{"text":"a"}'))

const failing = (
  name: string,
  reply: Reply,
  error: RegExp,
  more: Partial<ProviderMode> = {},
): ProviderMode => ({
  name,
  reply: always(reply),
  ends: 'FAILED',
  requests: 5,
  error,
  ...more,
})

export const attemptMsMax = 3000
export const budgetMs = 30_000

export const providerModes = (elsewhere: string): readonly ProviderMode[] => [
  failing('503', answer({ error: { code: 'server_is_overloaded' } }, 503), /^\w+: 503 server_is_overloaded$/),
  failing('500-html', answer('<html>Something went wrong</html>', 500), /^\w+: 500$/),
  failing('429-after-2-s', overloaded({ 'Retry-After': '2' }), /^\w+: 429 rate_limit_exceeded$/, {
    waitMs: 2000,
  }),
  // Clamped to a minute, and that is more than the budget.
  failing('429-for-years', overloaded({ 'Retry-After': '99999999' }), /a wait of 60000 ms would pass/, {
    requests: 1,
  }),
  failing(
    '429-until-2099',
    overloaded({ 'Retry-After': 'Thu, 01 Jan 2099 00:00:00 GMT' }),
    /a wait of 60000 ms/,
    {
      requests: 1,
    },
  ),
  failing('429-negative', overloaded({ 'Retry-After': '-1' }), /^\w+: 429/),
  failing('429-garbage', overloaded({ 'Retry-After': 'soon' }), /^\w+: 429/),
  failing('accept-then-hang', { kind: 'silence' }, /no answer within \d+ ms/, { isEndless: true }),
  failing('headers-then-hang', { kind: 'stall', body: '{"text":' }, /no answer within \d+ ms/, {
    isEndless: true,
  }),
  failing('drip', { kind: 'drip', everyMs: 100 }, /no answer within \d+ ms/, { isEndless: true }),
  failing('reset', { kind: 'reset' }, /no answer: ECONNRESET/),
  failing('reset-within-body', { kind: 'reset', after: '{"text":' }, /no answer: ECONNRESET/),
  {
    name: 'wrong-shape',
    // Each attempt another one.
    reply: (request) => answer(['null', '[]', '7', '{"text":{}}', '{"choices":7}'][request % 5]),
    ends: 'FAILED',
    requests: 5,
    error: /^transcription: 200|^schema|^chat: 200/,
  },
  failing('invalid-json', answer('{"text": "half'), /^\w+: 200 with/),
  failing('flood', { kind: 'flood', bytes: floodBytes }, /an answer of more than 1048576 bytes/),
  failing('gzip-bomb', answer(bomb, 200, { 'Content-Encoding': 'gzip' }), /content coding/),
  failing('no-body', answer('', 200, { 'Content-Type': 'application/json' }), /^\w+: 200 with no body$/),
  failing(
    'stream-that-breaks-off',
    answer('data: {"type":"transcript.text.delta","delta":"a"}\n\n'),
    /breaks off/,
  ),
  // What is not the call's fault is waited for.
  {
    name: 'redirect',
    reply: (request) =>
      request < 1 ? answer('', 307, { Location: `${elsewhere}/audio/transcriptions` }) : null,
    ends: 'ARCHIVED',
    requests: 2,
    error: null,
  },
  {
    name: 'key-refused-once',
    reply: (request) => (request < 1 ? answer({ error: { code: 'invalid_api_key' } }, 401) : null),
    ends: 'ARCHIVED',
    requests: 2,
    error: null,
  },
  {
    name: 'success-after-4',
    reply: (request) => (request < 4 ? answer('', 503) : null),
    ends: 'ARCHIVED',
    requests: 5,
    error: null,
  },
]
