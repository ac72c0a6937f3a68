/** What the journal says to those whom it has to refuse. */
import { VoiceStreamError } from '../../errors.js'

export function isNotOpen(): Promise<never> {
  return Promise.reject(new VoiceStreamError('starting', 'the store is not open yet'))
}

export function noSearch(fault: string): VoiceStreamError {
  const text = 'the index of words is damaged; `voicestream verify --rebuild-index` makes it anew'
  return new VoiceStreamError('stored_damage', text, { cause: new Error(fault) })
}

export function failedBy(cause: Error): VoiceStreamError {
  return new VoiceStreamError('commit_failed', 'the store has failed', { cause })
}
