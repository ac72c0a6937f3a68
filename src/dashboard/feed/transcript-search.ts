/**
 * A search in stored calls and in what was said on them, as it is typed. Only the answer to the latest question counts, in whatever order answers
 * come; a question that changes while it is typed is asked once.
 */
import type { Static } from 'typebox'
import type { CallPage, FoundCall } from '../../protocol/call.js'
import { isIntact } from '../../protocol/intact.js'
import type { ApiPath } from './api-path.js'

export const debounceMs = 300
const pageLimit = 50
/** Who has not found it among so many needs another word, not more calls. */
const foundMax = 1000
/** Then the viewer asks for more by hand. */
const emptyPagesMax = 40

type Page = Static<typeof CallPage>

export type Found =
  | { readonly kind: 'nothing-asked' }
  | { readonly kind: 'asking' }
  | { readonly kind: 'not-understood'; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string }
  | {
      readonly kind: 'found'
      readonly calls: readonly FoundCall[]
      /** Where the next page begins; null at the end. */
      readonly cursor: string | null
      readonly isAsking: boolean
      /** Why the next page could not be had. */
      readonly reason: string | null
    }

export class TranscriptSearch {
  found: Found = { kind: 'nothing-asked' }
  readonly #read: (path: ApiPath) => Promise<Page>
  readonly #changed: () => void
  #words = ''
  #filters = ''
  /** Of the latest question: an answer to another one is thrown away. */
  #question = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(read: (path: ApiPath) => Promise<Page>, changed: () => void) {
    this.#read = read
    this.#changed = changed
  }

  get isFull(): boolean {
    return this.found.kind === 'found' && this.found.calls.length >= foundMax
  }

  /** `filters` as parameters of the list of calls. */
  ask(text: string, filters = ''): void {
    const words = text.trim()
    if (words === this.#words && filters === this.#filters) return
    this.#words = words
    this.#filters = filters
    this.stop()
    const isAsked = words !== '' || filters !== ''
    this.#tell(isAsked ? { kind: 'asking' } : { kind: 'nothing-asked' })
    if (isAsked) this.#timer = setTimeout(() => void this.#first(), debounceMs)
  }

  retryNow(): void {
    this.stop()
    this.#tell({ kind: 'asking' })
    void this.#first()
  }

  async more(): Promise<void> {
    const { found } = this
    if (found.kind !== 'found' || found.cursor === null || found.isAsking || this.isFull) return
    const question = this.#question
    this.#tell({ ...found, isAsking: true, reason: null })
    try {
      const { calls, next_cursor: cursor } = await this.#readOn(found.cursor)
      if (question !== this.#question) return
      this.#tell({
        ...found,
        calls: [...found.calls, ...calls.filter(isIntact)],
        cursor,
        isAsking: false,
        reason: null,
      })
    } catch (error) {
      if (question === this.#question) this.#tell({ ...found, isAsking: false, reason: reasonOf(error) })
    }
  }

  /** What is still to come counts no more. */
  stop(): void {
    clearTimeout(this.#timer)
    this.#question++
  }

  async #first(): Promise<void> {
    const question = this.#question
    try {
      const { calls, next_cursor: cursor } = await this.#readOn(null)
      if (question === this.#question)
        this.#tell({ kind: 'found', calls: calls.filter(isIntact), cursor, isAsking: false, reason: null })
    } catch (error) {
      if (question === this.#question) this.#tell({ kind: kindOf(error), reason: reasonOf(error) })
    }
  }

  /** A page may end early and be empty, with more behind it. */
  async #readOn(cursor: string | null): Promise<Page> {
    const question = this.#question
    let page = await this.#read(this.#path(cursor))
    for (let read = 1; read < emptyPagesMax && question === this.#question; read++) {
      if (page.calls.length > 0 || page.next_cursor === null) break
      page = await this.#read(this.#path(page.next_cursor))
    }
    return page
  }

  #path(cursor: string | null): ApiPath {
    const query = new URLSearchParams(this.#filters)
    if (this.#words !== '') query.set('q', this.#words)
    query.set('limit', String(pageLimit))
    if (cursor !== null) query.set('cursor', cursor)
    return `v1/calls?${query}`
  }

  #tell(found: Found): void {
    this.found = found
    this.#changed()
  }
}

function kindOf(error: unknown): 'not-understood' | 'failed' {
  return error instanceof Error && 'status' in error && error.status === 422 ? 'not-understood' : 'failed'
}

/** The service calls the parameter by its name, which nobody sees here. */
function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/^q /, 'the search ')
}
