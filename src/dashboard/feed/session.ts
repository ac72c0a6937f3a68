/**
 * Who is looking, and every request of the page. The token stays in memory; only a viewer who asks for it has it kept
 * for the tab, because whatever is kept can be read by whoever gets at the browser.
 */
import type { ApiPath } from './api-path.js'

/** Not that of a host or an origin: no token helps there. */
const forbidden = 'urn:voicestream:problem:forbidden'
const storageKey = 'voicestream.token'

/** `unknown`: the service wants a credential, or no longer takes ours; `role`: it takes ours, for other things. */
export type Refusal = 'unknown' | 'role'

export class NotSignedIn extends Error {}
export class NotAnswered extends Error {
  readonly status: number

  constructor(status: number, detail: string) {
    super(detail)
    this.status = status
  }
}

export class Session {
  #token: string | null = readKept()
  readonly #refused: (refusal: Refusal) => void

  constructor(refused: (refusal: Refusal) => void) {
    this.#refused = refused
  }

  get hasToken(): boolean {
    return this.#token !== null
  }

  signIn(token: string, isKept: boolean): void {
    this.#token = token
    keep(isKept ? token : null)
  }

  signOut(): void {
    this.#token = null
    keep(null)
  }

  /** Throws `NotSignedIn` where another token is needed for the page, and `NotAnswered` on any other refusal. */
  async ask(
    path: ApiPath,
    method: 'GET' | 'POST' | 'HEAD' = 'GET',
    signal: AbortSignal | null = null,
  ): Promise<Response> {
    const answer = await fetch(path, {
      method,
      signal,
      cache: 'no-store',
      headers: this.#token === null ? {} : { authorization: `Bearer ${this.#token}` },
    })
    if (answer.ok) return answer
    const { detail, kind } = await problemOf(answer)
    const refusal = refusalOf(answer.status, kind, path)
    if (refusal === null) throw new NotAnswered(answer.status, detail)
    this.#refused(refusal)
    throw new NotSignedIn('the service wants another credential')
  }

  /** The service and its page are one build, so its answers are what the types say. */
  async read<T>(path: ApiPath): Promise<T> {
    return (await this.ask(path)).json() as Promise<T>
  }

  async file(path: ApiPath): Promise<Blob> {
    return (await this.ask(path)).blob()
  }

  /** Where a socket connects, and how it gets in: a browser can put no header on one. */
  socket(): { readonly url: string; readonly getTicket?: () => Promise<string> } {
    const url = new URL('.', location.href).href
    return this.#token === null ? { url } : { url, getTicket: () => this.#ticket() }
  }

  async #ticket(): Promise<string> {
    const answer = await this.ask('v1/supervisor/ticket', 'POST')
    return ((await answer.json()) as { readonly ticket: string }).ticket
  }
}

/** A retry by hand; and with REDACT what was sent as it was. */
const forAdministrators = /^v1\/call\/(?:retry\/|[^/]+\/(?:packets|audio\.wav)(?:\?|$))/

/** All else that the page asks for is a supervisor's: of these a refusal is an answer. */
function refusalOf(status: number, kind: string, path: ApiPath): Refusal | null {
  if (status === 401) return 'unknown'
  return kind === forbidden && !forAdministrators.test(path) ? 'role' : null
}

/** What went wrong, as a sentence: who was not reached has said nothing. */
export function reasonOf(error: unknown): string {
  if (error instanceof NotAnswered) return `The service answered: ${error.message}.`
  return 'The service is unreachable.'
}

async function problemOf(answer: Response): Promise<{ readonly detail: string; readonly kind: string }> {
  try {
    const { detail, type } = (await answer.json()) as { readonly detail?: unknown; readonly type?: unknown }
    if (typeof detail === 'string') return { detail, kind: typeof type === 'string' ? type : '' }
  } catch {
    // A proxy in between may answer with anything at all; its status says enough.
  }
  return { detail: `the service answered ${answer.status}`, kind: '' }
}

function readKept(): string | null {
  try {
    return sessionStorage.getItem(storageKey)
  } catch {
    // Forbidden by the browser: then nothing is kept.
    return null
  }
}

function keep(token: string | null): void {
  try {
    if (token === null) sessionStorage.removeItem(storageKey)
    else sessionStorage.setItem(storageKey, token)
  } catch {
    // Forbidden by the browser: then the viewer signs in again after a reload.
  }
}
