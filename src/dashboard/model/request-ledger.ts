/** The requests of a call's analysis, as rows and a summary. Pure. */
import type { ProviderRequest } from '../../protocol/analysis.js'
import { formatBytes, formatCount, formatDuration } from '../format.js'

export interface LedgerRow {
  readonly what: string
  readonly attempt: number
  readonly answer: string
  readonly isFailed: boolean
  readonly took: string
  readonly sent: string
  readonly received: string
  /** Seconds of audio or tokens: what a provider charges for. */
  readonly charged: string
}

const names = { transcription: 'Speech to text', chat: 'Meaning' } as const

export function ledgerRowsOf(requests: readonly ProviderRequest[]): readonly LedgerRow[] {
  return requests.map((request) => ({
    what: names[request.what],
    attempt: request.attempt,
    answer: request.status === 0 ? 'none' : String(request.status),
    isFailed: request.status < 200 || request.status > 299,
    took: `${formatCount(request.latency_ms)} ms`,
    sent: formatBytes(request.bytes_sent),
    received: formatBytes(request.bytes_received),
    charged: chargedText(request.audio_seconds, request.tokens),
  }))
}

/** 3 requests, 1 failed; 72 s of audio, 120 tokens */
export function ledgerSummary(requests: readonly ProviderRequest[]): string {
  const failed = requests.filter(({ status }) => status < 200 || status > 299).length
  const sum = (of: (request: ProviderRequest) => number | null) =>
    requests.reduce((total, request) => total + (of(request) ?? 0), 0)
  const charged = chargedText(
    sum((request) => request.audio_seconds) || null,
    sum(({ tokens }) => tokens) || null,
  )
  const count = `${formatCount(requests.length)} ${requests.length === 1 ? 'request' : 'requests'} to the provider`
  return `${count}${failed === 0 ? '' : `, ${formatCount(failed)} failed`}${charged === '' ? '' : `: ${charged}`}`
}

function chargedText(audioSeconds: number | null, tokens: number | null): string {
  return [
    ...(audioSeconds === null ? [] : [`${formatDuration(audioSeconds * 1000)} of audio`]),
    ...(tokens === null ? [] : [`${formatCount(tokens)} tokens`]),
  ].join(', ')
}
