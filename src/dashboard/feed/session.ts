/**
 * Who is looking, and every request of the page. The token stays in memory; only a viewer who asks for it has it kept
 * for the tab, because whatever is kept can be read by whoever gets at the browser.
 */
import type { ApiPath } from './api-path.js'

const storageKey = 'voicestream.token'

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
  /** Called when the service wants a credential, or no longer takes ours. */
  readonly #refused: () => void

  constructor(refused: () => void) {
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

  /** Throws `NotSignedIn` on 401 and `NotAnswered` on any other refusal. */
  async ask(path: ApiPath, method: 'GET' | 'POST' | 'HEAD' = 'GET'): Promise<Response> {
    const answer = await fetch(path, {
      method,
      cache: 'no-store',
      headers: this.#token === null ? {} : { authorization: `Bearer ${this.#token}` },
    })
    if (answer.status === 401) {
      this.#refused()
      throw new NotSignedIn('the service wants a credential')
    }
    if (!answer.ok) throw new NotAnswered(answer.status, await detailOf(answer))
    return answer
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

/** What went wrong, as a sentence: who was not reached has said nothing. */
export function reasonOf(error: unknown): string {
  if (error instanceof NotAnswered) return `The service said: ${error.message}.`
  return 'The service could not be reached.'
}

async function detailOf(answer: Response): Promise<string> {
  try {
    const problem = (await answer.json()) as { readonly detail?: unknown }
    if (typeof problem.detail === 'string') return problem.detail
  } catch {
    // A proxy in between may answer with anything at all; its status says enough.
  }
  return `the service answered ${answer.status}`
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
