/** The type of a route. The table of routes feeds the server, the 404/405 answers and `/openapi.json`. */
import type { TSchema } from 'typebox'
import type { Exchange } from './exchange.js'
import type { Access } from './gate/access.js'

export interface RouteBody {
  readonly mediaType: string
  readonly schema: TSchema
  readonly bytesMax: number
  /** A request without any body, and then without a media type, will do. */
  readonly isOptional?: true
  /** Takes the whole body, in the turn in which its last byte came; `isView` when it is gone after this turn. */
  take(exchange: Exchange, body: Uint8Array, isView: boolean): void
}

export interface RouteAnswer {
  readonly description: string
  readonly mediaType?: string
  readonly schema?: TSchema
}

export interface QueryParameter {
  readonly name: string
  readonly schema: TSchema
}

interface RouteBase {
  /** With `{call_id}` where a call id stands. */
  readonly path: string
  /** Whose credential it takes, where credentials are configured. */
  readonly access: Access
  readonly summary: string
  readonly description?: string
  readonly tag: 'ingest' | 'calls' | 'supervisors' | 'administration' | 'operations'
  readonly query?: readonly QueryParameter[]
  /** By status; the problems that any request can meet are added. */
  readonly answers: Readonly<Record<number, RouteAnswer>>
}

export interface GetRoute extends RouteBase {
  readonly method: 'GET'
  /** Bytes that a read for supervisors may hold until its answer is taken; without it, those of a short one. 0: it waits for no other. */
  readonly answerBytesMax?: number
  answer(exchange: Exchange): void | Promise<void>
}

export interface PostRoute extends RouteBase {
  readonly method: 'POST'
  readonly body: RouteBody
  /** A platform signs it: how it was written is kept for the check (`exchange.proofHead`). */
  readonly isSigned?: true
}

export interface DeleteRoute extends RouteBase {
  readonly method: 'DELETE'
  /** Called when the request is whole; a body means nothing. */
  answer(exchange: Exchange): void | Promise<void>
}

export type Route = GetRoute | PostRoute | DeleteRoute
