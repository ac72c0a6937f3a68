/** The messages to and from the thread of the log: plain data and transferred buffers only. */
import type { AppendOutcome, LogAppend, LogMessage } from '../../log.js'
import type { EngineOptions } from './engine.js'

export interface LogThreadData {
  readonly engine: EngineOptions
  readonly stream: string
}

/** `number` names an attempt, a follower or a trim. */
export type ToLogThread =
  | { readonly type: 'append'; readonly number: number; readonly attempt: LogAppend }
  | { readonly type: 'follow'; readonly number: number; readonly after: number }
  | { readonly type: 'taken'; readonly number: number; readonly bytes: number }
  | { readonly type: 'unfollow'; readonly number: number }
  | { readonly type: 'trim'; readonly number: number; readonly through: number }
  | { readonly type: 'close' }

export type FromLogThread =
  | { readonly type: 'opened' }
  | { readonly type: 'refused'; readonly message: string }
  | { readonly type: 'outcome'; readonly number: number; readonly outcome: AppendOutcome }
  | { readonly type: 'message'; readonly number: number; readonly message: LogMessage }
  | { readonly type: 'trimmed'; readonly number: number; readonly first: number }
  | { readonly type: 'lost'; readonly number: number; readonly last: number }
  | { readonly type: 'trim-done'; readonly number: number; readonly error: string | null }
