/**
 * Whose fault a refusal is, as servers word it. Guards against a key that is refused, a model that is gone or an address that is
 * wrong, each of which failed one call after the other; and against a call that keeps all others waiting.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  AccountRefused,
  type Matter,
  ProviderRejected,
  ProviderUnavailable,
} from '../../../../src/analysis/provider.js'
import { failureOf, refusals } from '../../../../src/analysis/providers/openai/failure.js'

type Fault = 'call' | 'provider' | Matter

const cases: readonly (readonly [server: string, status: number, body: unknown, fault: Fault])[] = [
  [
    'OpenAI',
    401,
    { error: { code: 'invalid_api_key', type: 'invalid_request_error', message: 'Incorrect API key' } },
    'key',
  ],
  ['OpenAI', 401, { error: { code: null, message: 'You must be a member of an organization' } }, 'key'],
  ['OpenAI', 429, { error: { type: 'insufficient_quota', code: 'insufficient_quota' } }, 'quota'],
  ['OpenAI', 429, { error: { code: 'billing_not_active' } }, 'quota'],
  ['OpenAI', 400, { error: { code: 'billing_hard_limit_reached' } }, 'quota'],
  ['OpenAI', 403, { error: { code: 'unsupported_country_region_territory' } }, 'permission'],
  ['OpenAI', 404, { error: { code: 'model_not_found', message: 'The model `x` does not exist' } }, 'model'],
  ['OpenAI', 404, { error: { code: 'unknown_url', message: 'Unknown request URL' } }, 'address'],
  ['OpenAI', 400, { error: { type: 'invalid_request_error', message: 'Invalid file format.' } }, 'call'],
  ['OpenAI', 429, { error: { code: 'rate_limit_exceeded' } }, 'provider'],
  ['Azure', 401, { error: { code: '401', message: 'Access denied due to invalid subscription key' } }, 'key'],
  ['Azure', 404, { error: { code: 'DeploymentNotFound', message: 'no deployment' } }, 'model'],
  ['Azure', 404, { error: { code: '404', message: 'Resource not found' } }, 'address'],
  [
    'Azure',
    400,
    {
      error: {
        code: 'content_filter',
        message: 'filtered',
        innererror: { code: 'ResponsibleAIPolicyViolation' },
      },
    },
    'call',
  ],
  ['Azure', 429, { error: { code: '429', message: 'Requests have exceeded call rate limit' } }, 'provider'],
  ['Groq', 400, { error: { code: 'model_decommissioned', message: 'x' } }, 'model'],
  ['Groq', 400, { error: { code: 'model_terms_required', message: 'x' } }, 'model'],
  ['Groq', 498, { error: { message: 'Flex tier capacity exceeded' } }, 'call'],
  ['OpenRouter', 402, { error: { code: 402, message: 'Insufficient credits' } }, 'quota'],
  [
    'OpenRouter',
    403,
    {
      error: {
        code: 403,
        message: 'requires moderation on x. Your input was flagged',
        metadata: { reasons: [] },
      },
    },
    'call',
  ],
  ['OpenRouter', 400, { error: { code: 400, message: 'x is not a valid model ID' } }, 'model'],
  [
    'DeepSeek',
    402,
    { error: { message: 'Insufficient Balance', type: 'unknown_error', code: 'invalid_request_error' } },
    'quota',
  ],
  [
    'LiteLLM',
    400,
    {
      error: {
        message: '/chat/completions: Invalid model name passed in model=x',
        type: 'None',
        code: '400',
      },
    },
    'model',
  ],
  [
    'LiteLLM',
    400,
    { error: { message: 'Budget has been exceeded! Current cost: 1', type: 'budget_exceeded', code: '400' } },
    'quota',
  ],
  ['LiteLLM', 401, { error: { message: 'Authentication Error', type: 'auth_error', code: '401' } }, 'key'],
  ['LiteLLM', 400, { error: { message: 'Key is expired', type: 'expired_key', code: '400' } }, 'key'],
  ['LiteLLM', 401, { error: { type: 'key_model_access_denied', message: 'no' } }, 'model'],
  [
    'LiteLLM',
    500,
    { error: { message: 'litellm.AuthenticationError: Incorrect API key provided', type: 'None' } },
    'key',
  ],
  [
    'Gemini',
    400,
    [
      {
        error: {
          code: 400,
          message: 'API key not valid. Please pass a valid API key.',
          status: 'INVALID_ARGUMENT',
        },
      },
    ],
    'key',
  ],
  [
    'Gemini',
    404,
    [{ error: { code: 404, message: 'models/x is not found', status: 'NOT_FOUND' } }],
    'address',
  ],
  [
    'Gemini',
    503,
    [{ error: { code: 503, message: 'The model is overloaded.', status: 'UNAVAILABLE' } }],
    'provider',
  ],
  ['vLLM', 401, { error: 'Unauthorized' }, 'key'],
  [
    'vLLM',
    404,
    { object: 'error', message: 'The model `x` does not exist.', type: 'NotFoundError', code: 404 },
    'model',
  ],
  ['vLLM', 400, { object: 'error', message: 'Audio too short', type: 'BadRequestError', code: 400 }, 'call'],
  [
    'Ollama',
    404,
    { error: { message: 'model "x" not found, try pulling it first', type: 'api_error' } },
    'model',
  ],
  [
    'llama.cpp',
    401,
    { error: { code: 401, message: 'Invalid API Key', type: 'authentication_error' } },
    'key',
  ],
  [
    'llama.cpp',
    503,
    { error: { code: 503, message: 'Loading model', type: 'unavailable_error' } },
    'provider',
  ],
  ['llama.cpp', 404, { error: { code: 404, message: 'File Not Found', type: 'not_found_error' } }, 'address'],
  ['speaches', 404, { detail: "Model 'x' is not installed locally. Model x not found" }, 'model'],
  ['speaches', 403, { detail: 'Invalid API key' }, 'key'],
  ['FastAPI', 422, { detail: [{ loc: ['body', 'file'], msg: 'field required' }] }, 'call'],
  ['FastAPI', 404, { detail: 'Not Found' }, 'address'],
  ['a proxy', 405, '<html>405 Not Allowed</html>', 'address'],
  ['a proxy', 407, '', 'key'],
  ['a proxy', 308, '', 'address'],
  ['a proxy', 530, 'origin is down', 'provider'],
  ['a proxy', 451, '', 'permission'],
  ['Mistral', 401, { message: 'Unauthorized', request_id: 'x' }, 'key'],
  [
    'Mistral',
    400,
    { object: 'error', message: 'Invalid model: x', type: 'invalid_model', code: '1500' },
    'model',
  ],
  ['Together', 402, { error: { message: 'Credit limit exceeded', type: 'credit_limit' } }, 'quota'],
  [
    'Together',
    404,
    {
      error: {
        message: 'Unable to access model x',
        type: 'invalid_request_error',
        code: 'model_not_available',
      },
    },
    'model',
  ],
  [
    'xAI',
    403,
    { code: 'The caller does not have permission', error: 'Your team has used all available credits' },
    'quota',
  ],
  [
    'xAI',
    400,
    { code: 'Client specified an invalid argument', error: 'Incorrect API key provided: x.' },
    'key',
  ],
  [
    'Fireworks',
    412,
    { error: { message: 'Account is suspended, possibly due to reaching the monthly spending limit' } },
    'quota',
  ],
  [
    'Anthropic',
    400,
    {
      type: 'error',
      error: { type: 'invalid_request_error', message: 'Your credit balance is too low to access the API.' },
    },
    'quota',
  ],
  [
    'Anthropic',
    529,
    { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } },
    'provider',
  ],
  ['Deepinfra', 403, { detail: { error: 'inference prohibited, please add a payment method' } }, 'quota'],
  ['Cloudflare', 403, '<html><title>Attention Required!</title></html>', 'permission'],
  ['Cloudflare', 524, '<html>A timeout occurred</html>', 'provider'],
  [
    'Gemini',
    429,
    [{ error: { code: 429, message: 'You exceeded your current quota', status: 'RESOURCE_EXHAUSTED' } }],
    'provider',
  ],
  [
    'Gemini',
    403,
    [
      {
        error: {
          code: 403,
          message: 'Permission denied: Consumer has been suspended.',
          status: 'PERMISSION_DENIED',
        },
      },
    ],
    'permission',
  ],
  [
    'LocalAI',
    500,
    { error: { code: 500, message: 'could not load model: rpc error', type: '' } },
    'provider',
  ],
  [
    'LocalAI',
    401,
    { error: { code: 401, message: 'An authentication key is required', type: 'invalid_request_error' } },
    'key',
  ],
  ['Ollama', 400, { error: { message: '"x" does not support chat', type: 'api_error' } }, 'model'],
  [
    'TGI',
    422,
    {
      error: 'Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096',
      error_type: 'validation',
    },
    'call',
  ],
]

function faultOf(failure: Error): Fault {
  if (failure instanceof AccountRefused) return failure.matter
  if (failure instanceof ProviderUnavailable) return 'provider'
  assert(failure instanceof ProviderRejected)
  return 'call'
}

describe('a refusal', () => {
  for (const [server, status, body, fault] of cases)
    test(`of ${server} with ${status} ${JSON.stringify(body).slice(0, 60)} is about the ${fault}`, () => {
      const text = typeof body === 'string' ? body : JSON.stringify(body)
      const failure = failureOf({ status, headers: {}, text, latencyMs: 1, bytesReceived: 1 }, 'chat')
      assert.equal(faultOf(failure), fault)
      assert.match(failure.message, /^chat: \d{3}(?: [a-z0-9_]+)?$/)
    })

  test('that quotes what was said on the call is about the call all the same', () => {
    // Guards against a caller who keeps all others waiting with the words of an error.
    const quoted = `Invalid content: "${'word '.repeat(80)} my api key is wrong and the model does not exist"`
    const text = JSON.stringify({ error: { message: quoted } })
    assert.equal(
      faultOf(failureOf({ status: 400, headers: {}, text, latencyMs: 1, bytesReceived: 1 }, 'chat')),
      'call',
    )
  })

  test('has one row for each status and code', () => {
    for (const name of ['codes', 'statuses'] as const) {
      const all = refusals.flatMap((row): readonly (string | number)[] => row[name])
      assert.equal(new Set(all).size, all.length)
    }
    for (const { fault, matter } of refusals) assert.equal(fault === 'account', matter !== undefined)
  })
})
