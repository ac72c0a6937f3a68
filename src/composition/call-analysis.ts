/** The analysis of calls: the configured provider, and the slots, the breaker and the retries that stand around it. */
import pLimit, { type LimitFunction } from 'p-limit'
import { Compile } from 'typebox/compile'
import { packetPages } from '../actors/packet-pages.js'
import { Analyses, type AnalysisPorts } from '../analysis/analysis.js'
import { ProviderBreaker } from '../analysis/breaker.js'
import { type AnalysisProvider, ProviderUnavailable } from '../analysis/provider.js'
import { redactBy } from '../analysis/redaction.js'
import { runWithRetry } from '../analysis/retry.js'
import type { RetryPolicy } from '../analysis/retry-task.js'
import type { Clock } from '../clock.js'
import type { Config } from '../config/config.js'
import { redactionOf } from '../config/redaction-setting.js'
import type { Supervision } from '../feed/supervision.js'
import { limits } from '../limits.js'
import type { Log } from '../log.js'
import type { Metrics } from '../metrics/metrics.js'
import { AnalysisResult } from '../protocol/analysis.js'
import type { CallReader } from '../store/journal.js'

export interface CallAnalysisParts
  extends Pick<AnalysisPorts, 'owners' | 'record' | 'read' | 'postpone' | 'interrupted'> {
  readonly config: Config
  readonly provider: AnalysisProvider
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  readonly supervision: Supervision
  readonly reader: CallReader
}

export interface CallAnalysis {
  readonly analyses: Analyses
  readonly breaker: ProviderBreaker
  readonly slots: LimitFunction
}

export function createCallAnalysis(parts: CallAnalysisParts): CallAnalysis {
  const slots = pLimit(parts.config.AI_CONCURRENCY)
  const breaker = createBreaker(parts, slots)
  return { analyses: createAnalyses(parts, breaker), breaker, slots }
}

function createBreaker(
  { config, clock, log, metrics }: CallAnalysisParts,
  slots: LimitFunction,
): ProviderBreaker {
  const policy = {
    failuresMax: config.AI_BREAKER_FAILURES,
    // With two attempts or one the first failure of a call would open it.
    ownFailuresMax: Math.max(2, config.AI_MAX_ATTEMPTS - 1),
    probeMs: config.AI_BREAKER_PROBE_MS,
    // With such waits the budget would be over before the attempts are, or the clamp would hide how long they are.
    shareMs: Math.min(config.AI_BUDGET_MS / config.AI_MAX_ATTEMPTS, limits.retryAfterMsMax),
  }
  return new ProviderBreaker(policy, {
    clock,
    withSlot: (attempt) => slots(attempt),
    opened: (reason, cause) => {
      metrics.breakerOpens[cause]++
      if (cause === 'provider') log.error({ reason }, 'the AI provider is down; calls wait until it answers')
      else
        log.error(
          { reason, kind: cause },
          'the AI provider refuses every call; they wait until you correct the cause in `kind`',
        )
    },
    closed: (downMs) => log.info({ down_ms: downMs }, 'the AI provider answers again; calls continue'),
  })
}

function createAnalyses(parts: CallAnalysisParts, breaker: ProviderBreaker): Analyses {
  const { config, clock, metrics, supervision, reader } = parts
  const policy: RetryPolicy = {
    attemptsMax: config.AI_MAX_ATTEMPTS,
    budgetMs: config.AI_BUDGET_MS,
    backoffBaseMs: config.AI_BACKOFF_BASE_MS,
    attemptMsMax: config.AI_ATTEMPT_TIMEOUT_MS,
  }
  const resultCheck = Compile(AnalysisResult)
  return new Analyses({
    clock,
    provider: parts.provider,
    owners: parts.owners,
    admit: (attempt, own, signal) => breaker.guard(attempt, own, signal),
    isProviderDown: () => breaker.state !== 'closed',
    suspectProvider: () => breaker.suspect(),
    retry: (task, before, signal) => runWithRetry(task, policy, before, clock, signal),
    record: parts.record,
    read: parts.read,
    packetPages: (callId, track) => packetPages(reader, parts, callId, 0, limits.packetsPageMax, track),
    kept: (callId) => reader.keptOf(callId),
    check: (answer) => {
      if (resultCheck.Check(answer)) return answer
      throw new ProviderUnavailable('the provider’s answer is not a result')
    },
    redact: redactBy(redactionOf(config)),
    postpone: parts.postpone,
    attemptEnded: (outcome, durationMs) => {
      metrics.observeAttempt(outcome, durationMs)
      supervision.attemptEnded(outcome)
    },
    attemptReleased: () => {
      metrics.counts.attemptsReleased++
    },
    interrupted: parts.interrupted,
  })
}
