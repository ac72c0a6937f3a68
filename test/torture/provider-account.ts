/**
 * What the provider saw (P7), by its own account, over all runs of the service: at most so many requests a call, each
 * attempt once, all of a call with one key and no other call with it; and a call is archived only with a result.
 */
import { readFileSync, statSync, watch } from 'node:fs'
import { groupBy } from './group.js'
import type { State } from './lifecycle-oracle.js'

export type ProviderLine =
  | { readonly is: 'request'; readonly call: string; readonly key: string; readonly attempt: number }
  | { readonly is: 'answer'; readonly call: string; readonly attempt: number; readonly isResult: boolean }

export interface ProviderViolation {
  readonly kind: 'too-many-requests' | 'attempt-repeated' | 'changing-key' | 'shared-key' | 'made-up-result'
  readonly call: string
  readonly detail: string
}

export function readProviderAccount(path: string): readonly ProviderLine[] {
  const lines = readFileSync(path, 'utf8').split('\n')
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as ProviderLine)
}

/** Resolves at the provider's next answer, or after `msMax`. */
export async function nextAnswer(path: string, msMax: number): Promise<void> {
  const first = statSync(path).size
  await new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer)
      watcher.close()
      resolve()
    }
    const timer = setTimeout(done, msMax)
    const watcher = watch(path, () => {
      if (readFileSync(path).subarray(first).includes('"answer"')) done()
    })
  })
}

export function judgeProvider(
  account: readonly ProviderLine[],
  ends: ReadonlyMap<string, State>,
  requestsMax: number,
): readonly ProviderViolation[] {
  const violations: ProviderViolation[] = []
  const report = (kind: ProviderViolation['kind'], call: string, detail: string) =>
    violations.push({ kind, call, detail })
  const requests = account.flatMap((line) => (line.is === 'request' ? [line] : []))
  for (const [call, ofCall] of groupBy(requests, (line) => line.call)) {
    const attempts = ofCall.map(({ attempt }) => attempt)
    if (ofCall.length > requestsMax) report('too-many-requests', call, `${ofCall.length} requests`)
    if (new Set(attempts).size < attempts.length) report('attempt-repeated', call, attempts.join(', '))
    const keys = new Set(ofCall.map(({ key }) => key))
    if (keys.size > 1) report('changing-key', call, [...keys].join(', '))
  }
  for (const [key, ofKey] of groupBy(requests, (line) => line.key)) {
    const [call = '', ...others] = new Set(ofKey.map((line) => line.call))
    if (others.length > 0) report('shared-key', call, `${key} is also that of ${others.join(', ')}`)
  }
  const answered = new Set(
    account.flatMap((line) => (line.is === 'answer' && line.isResult ? [line.call] : [])),
  )
  for (const [call, state] of ends)
    if (state === 'ARCHIVED' && !answered.has(call))
      report('made-up-result', call, 'archived without a result of the provider')
  return violations
}

/** Results that the provider gave and a kill took away: the call was analysed again, or failed for want of attempts. */
export function countLostResults(account: readonly ProviderLine[], ends: ReadonlyMap<string, State>): number {
  const requested = new Map<string, number>()
  for (const line of account)
    if (line.is === 'request') requested.set(line.call, Math.max(requested.get(line.call) ?? 0, line.attempt))
  return account.filter(
    (line) =>
      line.is === 'answer' &&
      line.isResult &&
      ((requested.get(line.call) ?? 0) > line.attempt || ends.get(line.call) === 'FAILED'),
  ).length
}

/** A line a kind, with examples. */
export function describeProvider(violations: readonly ProviderViolation[]): readonly string[] {
  return [...groupBy(violations, ({ kind }) => kind)].map(([kind, ofKind]) => {
    const examples = ofKind.slice(0, 3).map(({ call, detail }) => `${call}: ${detail}`)
    return `provider: ${kind} × ${ofKind.length} (${examples.join('; ')})`
  })
}
