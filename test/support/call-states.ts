/** Each state of a call, and the settings under which a call stays in it. */
export const settingsOfStates = {
  IN_PROGRESS: {},
  COMPLETED: { GRACE_PERIOD_MS: 86_400_000 },
  PROCESSING_AI: {
    GRACE_PERIOD_MS: 0,
    AI_SIMULATED_LATENCY_MIN_MS: 600_000,
    AI_SIMULATED_LATENCY_MAX_MS: 600_000,
  },
  ARCHIVED: { GRACE_PERIOD_MS: 0 },
  FAILED: {
    GRACE_PERIOD_MS: 0,
    AI_SIMULATED_FAILURE_RATE: 1,
    AI_MAX_ATTEMPTS: 1,
    AI_BREAKER_FAILURES: 0,
  },
} as const
