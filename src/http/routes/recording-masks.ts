/**
 * Who may hear what of a call while REDACT is set. What is masked is known from the transcript only, so a call without a whole one,
 * a live call and what was sent as it was are for administrators; the log says who heard them.
 */
import type { Cover, FramePart } from '../../audio/masked-audio.js'
import { VoiceStreamError } from '../../errors.js'
import type { CallId } from '../../protocol/call-id.js'
import { invalidParameter, oneOf } from '../../protocol/query.js'
import type { RedactionRule } from '../../redaction/kinds.js'
import type { CallReader } from '../../store/journal.js'
import type { MaskedTimes } from '../../store/masked-times.js'
import type { Exchange } from '../exchange.js'
import { assertRole } from '../gate/access.js'

export const maskings = ['beep', 'silence', 'none'] as const
export type Masking = Cover | 'none'

export interface MaskPorts {
  /** Empty where nothing is masked. */
  readonly rules: ReadonlySet<RedactionRule>
  readonly reader: Pick<CallReader, 'transcript'>
  /** Somebody is about to get what was not masked. */
  unmasked(exchange: Exchange, callId: CallId): void
}

export class RecordingMasks {
  readonly #ports: MaskPorts

  constructor(ports: MaskPorts) {
    this.#ports = ports
  }

  /** Throws `forbidden` for one that only an administrator may have. */
  asked(exchange: Exchange, callId: CallId): Masking {
    const { rules } = this.#ports
    const usual = rules.size === 0 ? 'none' : 'beep'
    const masking = oneOf(exchange.query('redact'), 'redact', maskings, usual)
    if (rules.size === 0 && masking !== 'none') throw invalidParameter('redact', 'needs REDACT, which is off')
    if (masking === 'none') this.assertUnmasked(exchange, callId)
    return masking
  }

  /** Throws `forbidden` where REDACT is set and somebody else than an administrator asks. */
  assertUnmasked(exchange: Exchange, callId: CallId): void {
    if (this.#ports.rules.size === 0) return
    // Without any token everybody is everything.
    if (exchange.credential !== null) assertRole(exchange.credential, 'admin')
    this.#ports.unmasked(exchange, callId)
  }

  /** What is not to be heard of a file of so many frames that begins `offset` seconds after the call. */
  async partsOf(
    exchange: Exchange,
    callId: CallId,
    { frames, sampleRate, offset }: { frames: number; sampleRate: number; offset: number },
  ): Promise<readonly FramePart[]> {
    const { reader, rules } = this.#ports
    const text = await reader.transcript({ callId, format: 'masks', rules: [...rules] }, exchange)
    const times = text === null ? null : (JSON.parse(new TextDecoder().decode(text)) as MaskedTimes)
    if (times?.isWhole !== true) throw notRedacted(callId)
    return times.spans.map(([start, end]) => {
      const first = Math.floor((start - offset) * sampleRate)
      // Times of another clock would cover nothing.
      if (first > frames) throw notRedacted(callId)
      return {
        first: Math.max(0, first),
        end: Math.max(0, Math.min(frames, Math.ceil((end - offset) * sampleRate))),
      }
    })
  }
}

function notRedacted(callId: CallId): VoiceStreamError {
  return new VoiceStreamError(
    'not_redacted',
    `it is not known when call ${callId} says what is masked: it has no whole transcript with times; an administrator can ask with redact=none`,
  )
}
