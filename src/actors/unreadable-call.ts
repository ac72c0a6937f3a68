/**
 * A call whose rows are damaged cannot be replayed, so it has no actor; and still whoever asks for its erasure wants nothing
 * of it to be left. It is erased by its name alone.
 */
import { isDamage, VoiceStreamError } from '../errors.js'
import type { CallState } from '../protocol/call.js'
import type { CallId } from '../protocol/call-id.js'
import { type Journal, settlementOf } from '../store/journal.js'
import { type CallMessage, type ErasureAnswer, findNothing } from './call-messages.js'

export interface UnreadablePorts {
  readonly journal: Pick<Journal, 'unreadable' | 'erase' | 'hasRoom'>
  /** Those that wait for the replay, from then on no more. */
  takeWaiting(): readonly CallMessage[]
  tell(message: CallMessage): void
  erased(state: CallState | null): void
}

/** By age nothing of it is erased: what says when it has ended may be what is damaged. */
export function isErasure(message: CallMessage): boolean {
  return message.type === 'erase' && message.endedThrough === null
}

/** Every message is answered: those before an erasure with the damage, those behind it as to another call. */
export async function answerUnreadable(
  callId: CallId,
  damage: VoiceStreamError,
  { journal, takeWaiting, tell, erased }: UnreadablePorts,
): Promise<void> {
  let found: Awaited<ReturnType<Journal['unreadable']>> = null
  let failure: VoiceStreamError = damage
  try {
    found = await journal.unreadable(callId)
  } catch (error) {
    if (!(error instanceof VoiceStreamError)) throw error
    failure = isDamage(error) ? damage : error
  }
  let isGone = false
  for (const message of takeWaiting()) {
    if (isGone) tell(message)
    else if (message.type !== 'erase' || message.endedThrough !== null || failure !== damage)
      message.replyTo.failed(failure)
    else if (found === null) findNothing(message)
    else if (!journal.hasRoom(0))
      message.replyTo.failed(new VoiceStreamError('overloaded', 'the journal’s queue is full'))
    else {
      isGone = true
      const { stream, state } = found
      const call = { committed: () => erased(state), failed: () => {} }
      journal.erase(stream, stream.version, settlementOf<ErasureAnswer>(message.replyTo, 'erased', call))
    }
  }
}
