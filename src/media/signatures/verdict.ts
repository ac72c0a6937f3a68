/** What a check of a request says: right, or for the log why not. The reason never holds the secret or what was given. */
export type Verdict = { readonly kind: 'right' } | { readonly kind: 'wrong'; readonly why: string }

export const right: Verdict = { kind: 'right' }

export function wrong(why: string): Verdict {
  return { kind: 'wrong', why }
}

export interface Headers {
  /** Names in lower case; a missing one is undefined or empty. */
  get(name: string): string | undefined
}

/** A request as it was written, and under which origins the service is known: signatures are made over these. */
export interface SignedRequest {
  /** `PUBLIC_URL`, like `https://vs.example.test`; a WebSocket has the same under `wss:`. What path it has comes first. */
  readonly origin: string
  readonly path: string
  /** Without the question mark; empty for none. */
  readonly query: string
  readonly headers: Headers
}
