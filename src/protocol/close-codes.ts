/** Why the service closes a supervisor's socket: the one table. RFC 6455 §7.4 leaves 4000–4999 to applications. */
export const closeCodes = {
  goingAway: 1001,
  policyViolation: 1008,
  tryAgainLater: 1013,
  tooSlow: 4008,
  revoked: 4401,
} as const
export type CloseCode = (typeof closeCodes)[keyof typeof closeCodes]

export const closeCodeMeanings: Readonly<
  Record<CloseCode, { readonly when: string; readonly reaction: string }>
> = {
  1001: { when: 'the service shuts down', reaction: 'reconnect with backoff; the new run answers `reset`' },
  1008: { when: 'the client sent too much', reaction: 'send less; reconnecting at once does not help' },
  1013: { when: 'the snapshot of the calls could not be read', reaction: 'reconnect with backoff' },
  4008: {
    when: 'the client read too slowly',
    reaction: 'reconnect and resume from the last position; the missed events are still held',
  },
  4401: { when: 'the credential is missing, wrong or no longer valid', reaction: 'get a new ticket first' },
}
