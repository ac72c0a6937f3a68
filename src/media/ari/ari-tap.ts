/**
 * The tap: Asterisk opens ARI to us, and we listen to every two-party call beside its path. For each phone of a bridge a
 * snoop channel hears what that phone says, and a channel of external media brings it to us over a socket of its own:
 *
 *     phone ── snoop ── our bridge ── external media ──▶ /v1/media/asterisk   (variables CALL_ID and LEG)
 *
 * Nothing here is in the media path: whatever fails, the phones go on talking. The call has the id of their bridge.
 */
import { randomUUID } from 'node:crypto'
import type { CallMessage } from '../../actors/call-messages.js'
import type { Clock } from '../../clock.js'
import { messageOf } from '../../errors.js'
import { limits } from '../../limits.js'
import { type CallId, isCallId } from '../../protocol/call-id.js'
import type { StartBody } from '../../protocol/media.js'
import type { Note } from '../../store/journal.js'
import { muLaw8k } from '../codecs.js'
import { isObject } from '../json-text.js'
import { type AriChannel, channelOf, readAri, textsOf } from './ari-messages.js'
import { AriRequests } from './ari-requests.js'

export interface TapOptions {
  /** Of the section of websocket_client.conf that leads to us. */
  readonly mediaClient: string
  /** Only calls that begin in one of these contexts; all, where there is none. */
  readonly contexts: readonly string[]
  /** Of 100 calls so many are listened to. */
  readonly share: number
}

export interface TapPorts {
  readonly clock: Clock
  readonly options: TapOptions
  tell(callId: CallId, message: CallMessage): void
  send(text: string): void
  close(code: number, why: string): void
  warn(why: string, callId: CallId | null): void
}

interface TappedPhone {
  readonly callId: CallId
  readonly leg: 'caller' | 'callee'
  readonly snoop: string
  readonly media: string
  readonly bridge: string
  isGone: boolean
}

const app = 'voicestream-out'
const ours = 'voicestream-'
/** Technologies of phones and trunks; ours and those that only connect channels are none. */
const phones = /^(?:PJSIP|SIP|IAX2|DAHDI)\//
const wholeShare = 100

export class AriTap {
  readonly #ports: TapPorts
  readonly #requests: AriRequests
  readonly #tapped = new Map<string, TappedPhone>()
  /** Phones that somebody has called; the others call. */
  readonly #dialled = new Set<string>()
  readonly #channels = new Map<string, AriChannel>()
  /** Resolved when a channel of ours has come to our application. */
  readonly #starting = new Map<string, () => void>()
  #hasBegun = false
  #isClosed = false

  constructor(ports: TapPorts) {
    this.#ports = ports
    this.#requests = new AriRequests(ports.clock, (text) => ports.send(text))
  }

  get tappedCount(): number {
    return this.#tapped.size
  }

  /** Asterisk reads requests only once it has told that the application is registered. */
  #begin(): void {
    if (this.#hasBegun) return
    this.#hasBegun = true
    this.#tryToAdopt(1)
  }

  /** While Asterisk starts it answers 503. */
  #tryToAdopt(attempt: number): void {
    this.#adopt().catch((error) => {
      if (this.#isClosed) return
      if (attempt >= limits.ariTriesMax)
        return this.#ports.warn(`the calls under way are not known: ${messageOf(error)}`, null)
      this.#ports.clock.after(limits.ariRetryMs, () => !this.#isClosed && this.#tryToAdopt(attempt + 1))
    })
  }

  message(text: string): void {
    const message = readAri(text)
    if (message === null) return this.#ports.close(1003, 'not a message of ARI')
    this.#begin()
    switch (message.type) {
      case 'answer':
        return this.#requests.answered(message.requestId, message.status, message.body)
      case 'entered':
        this.#channels.set(message.channel.id, message.channel)
        return this.#entered(message.bridgeId, message.channels)
      case 'started':
        return this.#starting.get(message.channel.id)?.()
      case 'dialled':
        if (this.#dialled.size < limits.ariChannelsMax) this.#dialled.add(message.peerId)
        return
      case 'destroyed':
        return this.#destroyed(message.channel, `${message.cause} ${message.causeText}`.trim())
      case 'digit':
        return this.#note(message.channel, { kind: 'dtmf' })
      case 'held':
        return this.#note(message.channel, { kind: 'held' })
      case 'unheld':
        return this.#note(message.channel, { kind: 'resumed' })
      default:
        return
    }
  }

  closed(): void {
    this.#isClosed = true
    this.#requests.close()
  }

  goAway(): void {
    this.#ports.close(1001, 'the service is shutting down')
  }

  // --- which calls ------------------------------------------------------------------------------------------------

  /** Calls that are under way already; what a tap before this one has left behind is taken away. */
  async #adopt(): Promise<void> {
    const channels = await this.#requests.ask('GET', 'channels')
    for (const value of Array.isArray(channels) ? channels : []) {
      const channel = channelOf(value)
      if (channel === null) continue
      if (!channel.id.startsWith(ours)) this.#channels.set(channel.id, channel)
      else if (!this.#isLive(channel.id)) await this.#forgive('DELETE', `channels/${channel.id}`)
    }
    const bridges = await this.#requests.ask('GET', 'bridges')
    for (const bridge of Array.isArray(bridges) ? bridges : []) {
      if (!isObject(bridge)) continue
      const id = String(bridge['id'])
      if (!id.startsWith(ours)) this.#entered(id, textsOf(bridge['channels']))
      else if (!this.#isLive(id)) await this.#forgive('DELETE', `bridges/${id}`)
    }
  }

  /** Of a tap of this connection. */
  #isLive(id: string): boolean {
    return [...this.#tapped.values()].some(({ snoop, media, bridge }) => [snoop, media, bridge].includes(id))
  }

  /** A conversation is two phones in one bridge. */
  #entered(bridgeId: string, ids: readonly string[]): void {
    if (bridgeId.startsWith(ours)) return
    const members = ids.flatMap((id) => {
      const channel = this.#channels.get(id)
      return channel !== undefined && !id.startsWith(ours) && phones.test(channel.name) ? [channel] : []
    })
    if (members.length < 2 || !isCallId(bridgeId) || !this.#isWanted(bridgeId, members)) return
    const fresh = members.filter(({ id }) => !this.#tapped.has(id))
    if (fresh.length === 0) return
    this.#describe(bridgeId, members)
    for (const channel of fresh) this.#tap(bridgeId, channel)
  }

  #isWanted(bridgeId: string, members: readonly AriChannel[]): boolean {
    const { contexts, share } = this.#ports.options
    if (contexts.length > 0 && !members.some(({ context }) => contexts.includes(context))) return false
    // By the call's own id, so that both phones, and a service that comes later, decide alike.
    const number = Number.parseInt(bridgeId.replace(/[^0-9a-f]/g, '').slice(0, 8) || '0', 16)
    return number % wholeShare < share
  }

  #legOf({ id, application }: AriChannel): 'caller' | 'callee' {
    return application === 'AppDial' || this.#dialled.has(id) ? 'callee' : 'caller'
  }

  #describe(callId: CallId, members: readonly AriChannel[]): void {
    const caller = members.find((channel) => this.#legOf(channel) === 'caller')
    const callee = members.find((channel) => this.#legOf(channel) === 'callee')
    const named = (text: string | undefined) =>
      text === undefined || text === '' ? undefined : text.slice(0, limits.detailCharactersMax)
    const callerText = caller === undefined ? undefined : named(partyText(caller))
    const calleeText = named(caller?.connected.number || callee?.extension)
    const body: StartBody = {
      media: muLaw8k,
      ...(callerText === undefined ? {} : { caller: callerText }),
      ...(calleeText === undefined ? {} : { callee: calleeText }),
      metadata: labelsOf([
        ...members.map((channel) => [`channel_${this.#legOf(channel)}`, channel.name] as const),
        ['context', caller?.context ?? ''],
      ]),
    }
    const failed = () => this.#ports.warn('the description of a call could not be stored', callId)
    this.#ports.tell(callId, { type: 'describe', body, replyTo: { answered: () => {}, failed } })
  }

  // --- listening --------------------------------------------------------------------------------------------------

  #tap(callId: CallId, channel: AriChannel): void {
    if (this.#tapped.size >= limits.ariChannelsMax)
      return this.#ports.warn('too many phones are listened to', callId)
    const id = randomUUID()
    const phone: TappedPhone = {
      callId,
      leg: this.#legOf(channel),
      snoop: `${ours}snoop-${id}`,
      media: `${ours}media-${id}`,
      bridge: `${ours}tap-${id}`,
      isGone: false,
    }
    this.#tapped.set(channel.id, phone)
    this.#listen(channel, phone, 1).catch((error) => this.#ports.warn(messageOf(error), callId))
  }

  async #listen(channel: AriChannel, phone: TappedPhone, attempt: number): Promise<void> {
    try {
      await this.#connect(channel, phone)
    } catch (error) {
      await this.#release(phone)
      if (phone.isGone || this.#isClosed) return
      this.#ports.warn(`a phone is not listened to (try ${attempt}): ${messageOf(error)}`, phone.callId)
      // Our own route for media may be away while Asterisk tries it.
      if (attempt >= limits.ariTriesMax) return
      this.#ports.clock.after(limits.ariRetryMs, () => {
        if (phone.isGone || this.#isClosed) return
        this.#listen(channel, phone, attempt + 1).catch((cause) =>
          this.#ports.warn(messageOf(cause), phone.callId),
        )
      })
    }
  }

  async #connect(
    { id, name }: AriChannel,
    { callId, leg, snoop, media, bridge }: TappedPhone,
  ): Promise<void> {
    const ready = Promise.all([this.#started(snoop), this.#started(media)])
    ready.catch(() => {})
    await this.#requests.ask('POST', `channels/${id}/snoop/${snoop}`, { spy: 'in', app })
    await this.#requests.ask(
      'POST',
      'channels/externalMedia',
      {
        app,
        channelId: media,
        format: 'ulaw',
        external_host: this.#ports.options.mediaClient,
        transport: 'websocket',
        encapsulation: 'none',
        connection_type: 'client',
        direction: 'both',
        // Without v(): Asterisk 22.10 writes its parameters into the shared section of its configuration, without a lock. The
        // channel's own variables come with the first message.
        transport_data: 'f(json)d(in)',
      },
      { variables: { CALL_ID: callId, LEG: leg, CHANNEL_NAME: name } },
    )
    await ready
    await this.#requests.ask('POST', `bridges/${bridge}`, { type: 'mixing' })
    await this.#requests.ask('POST', `bridges/${bridge}/addChannel`, { channel: `${snoop},${media}` })
  }

  #started(id: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.#ports.clock.after(limits.ariAnswerMs, () => {
        this.#starting.delete(id)
        reject(new Error('a channel of ours did not start'))
      })
      this.#starting.set(id, () => {
        cancel()
        this.#starting.delete(id)
        resolve()
      })
    })
  }

  async #release({ media, snoop, bridge }: TappedPhone): Promise<void> {
    await this.#forgive('DELETE', `channels/${media}`)
    await this.#forgive('DELETE', `channels/${snoop}`)
    await this.#forgive('DELETE', `bridges/${bridge}`)
  }

  /** What is gone already is as it should be. */
  async #forgive(method: 'DELETE', path: string): Promise<void> {
    await this.#requests.ask(method, path).catch(() => {})
  }

  // --- the end ----------------------------------------------------------------------------------------------------

  #destroyed(channel: AriChannel, cause: string): void {
    this.#channels.delete(channel.id)
    this.#dialled.delete(channel.id)
    const phone = this.#tapped.get(channel.id)
    if (phone === undefined) return
    phone.isGone = true
    this.#note(channel, {
      kind: 'hangup',
      text: `${phone.leg}: ${cause}`.slice(0, limits.detailCharactersMax),
    })
    this.#tapped.delete(channel.id)
    void this.#release(phone)
    const others = [...this.#tapped.values()].some(({ callId }) => callId === phone.callId)
    if (!others) this.#complete(phone.callId)
  }

  #complete(callId: CallId): void {
    const replyTo = {
      answered: () => {},
      failed: () => void this.#ports.clock.after(limits.legRetryMs, () => this.#complete(callId)),
    }
    this.#ports.tell(callId, { type: 'complete', totalPackets: null, replyTo })
  }

  #note({ id }: AriChannel, note: Note): void {
    const phone = this.#tapped.get(id)
    if (phone === undefined) return
    const text = note.text ?? phone.leg
    const replyTo = { answered: () => {}, failed: () => {} }
    this.#ports.tell(phone.callId, { type: 'note', note: { ...note, text }, replyTo })
  }
}

function partyText({ caller: { name, number } }: AriChannel): string {
  if (name === '' || name === number) return number
  return number === '' ? name : `${name} <${number}>`
}

function labelsOf(labels: readonly (readonly [name: string, value: string])[]): Record<string, string> {
  const said = labels.filter(([, value]) => value !== '')
  return Object.fromEntries(said.map(([name, value]) => [name, value.slice(0, limits.metadataCharactersMax)]))
}
