/**
 * Listens to one phone for as long as it talks: a snoop channel hears what it says, and a channel of external media brings that
 * to us over a socket of its own. What is lost of these is made anew, again and again with longer pauses; the phone itself
 * is not touched by any of it.
 */
import { randomUUID } from 'node:crypto'
import type { Clock, Millis } from '../../clock.js'
import { messageOf } from '../../errors.js'
import { limits } from '../../limits.js'
import { type CallId, isCallId } from '../../protocol/call-id.js'
import type { AriChannel } from './ari-messages.js'
import type { AriRequests } from './ari-requests.js'

/** Of our channels and bridges. */
export const ours = 'voicestream-'
export const app = 'voicestream-out'

/** Which phone is listened to, for which call, and as whom. It is the name of the bridge, so that a tap after this one knows. */
export interface Heard {
  readonly phone: string
  readonly callId: CallId
  readonly leg: string
}

export function heardOf(name: string | null): Heard | null {
  const [phone = '', callId = '', leg = ''] = (name ?? '').split(' ')
  return phone !== '' && isCallId(callId) && leg !== '' ? { phone, callId, leg } : null
}

export interface PhoneTapPorts {
  readonly clock: Clock
  readonly requests: AriRequests
  readonly mediaClient: string
  /** Of the channels of ours that are in use. */
  readonly owners: Map<string, PhoneTap>
  warn(why: string, callId: CallId): void
}

interface Parts {
  readonly snoop: string
  readonly media: string
  readonly bridge: string
}

export class PhoneTap {
  readonly callId: CallId
  /** `caller`, `callee`, `callee-2` … */
  readonly leg: string
  readonly #ports: PhoneTapPorts
  readonly #phone: Pick<AriChannel, 'id' | 'name'>
  #parts: Parts | null = null
  /** Resolved when a channel of ours has come to our application, rejected when it has gone before. */
  readonly #starting = new Map<string, { resolve(): void; reject(error: Error): void }>()
  #standsSince: Millis | null = null
  #tries = 0
  #isEnded = false

  constructor(ports: PhoneTapPorts, phone: Pick<AriChannel, 'id' | 'name'>, callId: CallId, leg: string) {
    this.#ports = ports
    this.#phone = phone
    this.callId = callId
    this.leg = leg
    this.#listen()
  }

  /** The name of a channel or bridge of it that is in use. */
  has(id: string): boolean {
    const parts = this.#parts
    return parts !== null && (id === parts.snoop || id === parts.media || id === parts.bridge)
  }

  started(id: string): void {
    this.#starting.get(id)?.resolve()
  }

  /** A channel of ours is gone. The snoop channel ends with its phone, so only the other one says anything. */
  gone(id: string): void {
    this.#starting.get(id)?.reject(new Error('a channel of ours has ended'))
    const parts = this.#parts
    if (parts?.media !== id || this.#standsSince === null || this.#isEnded) return
    if (this.#ports.clock.now() - this.#standsSince >= limits.ariSteadyMs) this.#tries = 0
    this.#ports.warn(`the media of ${this.leg} are lost`, this.callId)
    this.#release(parts)
    this.#later()
  }

  end(): void {
    this.#isEnded = true
    if (this.#parts !== null) this.#release(this.#parts)
  }

  #later(): void {
    const waitMs = Math.min(this.#tries * limits.ariRetryMs, limits.ariRetryMsMax)
    this.#ports.clock.after(waitMs, () => this.#isEnded || this.#listen())
  }

  #listen(): void {
    this.#tries++
    const id = randomUUID()
    const parts = { snoop: `${ours}snoop-${id}`, media: `${ours}media-${id}`, bridge: `${ours}tap-${id}` }
    this.#parts = parts
    this.#ports.owners.set(parts.snoop, this).set(parts.media, this)
    this.#connect(parts).then(
      () => {
        this.#standsSince = this.#ports.clock.now()
      },
      (error) => {
        this.#release(parts)
        if (this.#isEnded) return
        // Our own route for media may be away while Asterisk tries it.
        this.#ports.warn(`a phone is not listened to (try ${this.#tries}): ${messageOf(error)}`, this.callId)
        this.#later()
      },
    )
  }

  async #connect({ snoop, media, bridge }: Parts): Promise<void> {
    const { requests, mediaClient } = this.#ports
    const { id, name } = this.#phone
    const ready = Promise.all([this.#start(snoop), this.#start(media)])
    ready.catch(() => {})
    await requests.ask('POST', `channels/${id}/snoop/${snoop}`, { spy: 'in', app })
    await requests.ask(
      'POST',
      'channels/externalMedia',
      {
        app,
        channelId: media,
        format: 'ulaw',
        external_host: mediaClient,
        transport: 'websocket',
        encapsulation: 'none',
        connection_type: 'client',
        direction: 'both',
        // Without v(): Asterisk 22.10 writes its parameters into the shared section of its configuration, without a lock. The
        // channel's own variables come with the first message.
        transport_data: 'f(json)d(in)',
      },
      { variables: { CALL_ID: this.callId, LEG: this.leg, CHANNEL_NAME: name } },
    )
    await ready
    const heard = `${id} ${this.callId} ${this.leg}`
    await requests.ask('POST', `bridges/${bridge}`, { type: 'mixing', name: heard })
    await requests.ask('POST', `bridges/${bridge}/addChannel`, { channel: `${snoop},${media}` })
  }

  #start(id: string): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const cancel = this.#ports.clock.after(limits.ariAnswerMs, () =>
        this.#starting.get(id)?.reject(new Error('a channel of ours did not start')),
      )
      const settled = (then: () => void) => {
        cancel()
        this.#starting.delete(id)
        then()
      }
      this.#starting.set(id, {
        resolve: () => settled(resolve),
        reject: (error) => settled(() => reject(error)),
      })
    })
  }

  /** What is gone already is as it should be. */
  #release({ media, snoop, bridge }: Parts): void {
    const { owners, requests } = this.#ports
    if (this.#parts?.media === media) this.#parts = null
    this.#standsSince = null
    for (const id of [snoop, media]) {
      owners.delete(id)
      this.#starting.get(id)?.reject(new Error('a channel of ours is taken away'))
      requests.forgive('DELETE', `channels/${id}`)
    }
    requests.forgive('DELETE', `bridges/${bridge}`)
  }
}
