import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ledgerRowsOf, ledgerSummary } from '../../src/dashboard/model/request-ledger.js'
import type { ProviderRequest } from '../../src/protocol/analysis.js'

const request = (change: Partial<ProviderRequest>): ProviderRequest => ({
  what: 'chat',
  attempt: 1,
  status: 200,
  latency_ms: 1200,
  bytes_sent: 2048,
  bytes_received: 1,
  audio_seconds: null,
  tokens: null,
  ...change,
})

test('a ledger sums up what was asked, what failed and what is charged', () => {
  assert.equal(ledgerSummary([request({})]), '1 request to the provider')
  assert.equal(
    ledgerSummary([
      request({ what: 'transcription', audio_seconds: 36.5 }),
      request({ what: 'transcription', status: 0 }),
      request({ what: 'transcription', status: 503, attempt: 2 }),
      request({ tokens: 1200 }),
    ]),
    '4 requests to the provider, 2 failed: 36 s of audio, 1,200 tokens',
  )
})

test('each request is told with its units, and one without an answer says so', () => {
  assert.deepEqual(ledgerRowsOf([request({ status: 0, tokens: 7 })]), [
    {
      what: 'Meaning',
      attempt: 1,
      answer: 'none',
      isFailed: true,
      took: '1,200 ms',
      sent: '2 KiB',
      received: '1 KiB',
      charged: '7 tokens',
    },
  ])
})
