/**
 * The tap: Asterisk opens ARI to us, and we listen to every two-party call beside its path. For each phone of a bridge a
 * snoop channel hears what that phone says, and a channel of external media brings it to us over a socket of its own:
 *
 *     phone ── snoop ── our bridge ── external media ──▶ /v1/media/asterisk   (variables CALL_ID and LEG)
 *
 * Nothing here is in the media path: whatever fails, the phones go on talking. The call has the id of their bridge. A
 * transfer brings a phone into another bridge: it stays in its call, and whom it meets there comes into that call, too.
 */
import type { CallMessage } from '../../actors/call-messages.js'
import type { Clock } from '../../clock.js'
import { messageOf } from '../../errors.js'
import { limits } from '../../limits.js'
import { type CallId, isCallId } from '../../protocol/call-id.js'
import type { Note } from '../../store/journal.js'
import { isObject, type JsonObject, textAt } from '../json-text.js'
import { descriptionOf, isWanted, type TapOptions } from './ari-calls.js'
import { type AriChannel, channelOf, readAri, textsOf } from './ari-messages.js'
import { AriRequests } from './ari-requests.js'
import { type Heard, heardOf, ours, PhoneTap } from './phone-tap.js'

export interface TapPorts {
  readonly clock: Clock
  readonly options: TapOptions
  tell(callId: CallId, message: CallMessage): void
  send(text: string): void
  close(code: number, why: string): void
  warn(why: string, callId: CallId | null): void
}

/** Technologies of phones and trunks; ours and those that only connect channels are none. */
const phones = /^(?:PJSIP|SIP|IAX2|DAHDI)\//

export class AriTap {
  readonly #ports: TapPorts
  readonly #requests: AriRequests
  /** By the phone's channel, in the order in which they came. */
  readonly #tapped = new Map<string, PhoneTap>()
  /** By the channels of ours that listen. */
  readonly #owners = new Map<string, PhoneTap>()
  /** Of calls with phones that are listened to: the names that their phones have had. */
  readonly #legs = new Map<CallId, string[]>()
  /** Phones that a tap before this one has listened to. */
  readonly #known = new Map<string, Heard>()
  /** Phones that somebody has called; the others call. */
  readonly #dialled = new Set<string>()
  readonly #channels = new Map<string, AriChannel>()
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
        return this.#owners.get(message.channel.id)?.started(message.channel.id)
      case 'dialled':
        if (this.#dialled.size < limits.ariChannelsMax) this.#dialled.add(message.peerId)
        return
      case 'destroyed':
        return this.#destroyed(message.channel, `${message.cause} ${message.causeText}`.trim())
      case 'digit':
        return this.#note(message.channel.id, { kind: 'dtmf' })
      case 'held':
        return this.#note(message.channel.id, { kind: 'held' })
      case 'unheld':
        return this.#note(message.channel.id, { kind: 'resumed' })
      case 'transferred':
        return this.#note(message.channelId, { kind: 'mark', text: message.text })
      default:
        return
    }
  }

  closed(): void {
    this.#isClosed = true
    this.#requests.close()
    for (const phone of this.#tapped.values()) phone.end()
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
      else if (!this.#isLive(channel.id)) this.#requests.forgive('DELETE', `channels/${channel.id}`)
    }
    const answer = await this.#requests.ask('GET', 'bridges')
    const bridges = (Array.isArray(answer) ? answer : []).filter(isObject)
    for (const bridge of bridges) this.#learn(bridge)
    for (const bridge of bridges) {
      const id = String(bridge['id'])
      if (!id.startsWith(ours)) this.#entered(id, textsOf(bridge['channels']))
      else if (!this.#isLive(id)) this.#requests.forgive('DELETE', `bridges/${id}`)
    }
  }

  /** A bridge of a tap before this one says whom it heard, and in which call. */
  #learn(bridge: JsonObject): void {
    const heard = String(bridge['id']).startsWith(ours) ? heardOf(textAt(bridge, 'name')) : null
    if (heard !== null && !this.#tapped.has(heard.phone)) this.#known.set(heard.phone, heard)
  }

  /** Of a tap of this connection. */
  #isLive(id: string): boolean {
    return [...this.#tapped.values()].some((phone) => phone.has(id))
  }

  #phonesOf(ids: readonly string[]): readonly AriChannel[] {
    return ids.flatMap((id) => {
      const channel = this.#channels.get(id)
      return channel !== undefined && !id.startsWith(ours) && phones.test(channel.name) ? [channel] : []
    })
  }

  /** A conversation is two phones in one bridge. */
  #entered(bridgeId: string, ids: readonly string[]): void {
    if (bridgeId.startsWith(ours) || !isCallId(bridgeId)) return
    const members = this.#phonesOf(ids)
    if (members.length < 2) return
    const callId = this.#callOf(members)
    if (callId === null && !isWanted(this.#ports.options, bridgeId, members)) return
    const others = members.filter(({ id }) => this.#tapped.get(id)?.callId !== (callId ?? bridgeId))
    if (others.length === 0) return
    if (callId === null) this.#describe(bridgeId, members)
    for (const channel of others) this.#tap(callId ?? bridgeId, channel)
  }

  /** That of the phone that has been listened to for longest. */
  #callOf(members: readonly AriChannel[]): CallId | null {
    const ids = new Set(members.map(({ id }) => id))
    for (const [id, { callId }] of this.#tapped) if (ids.has(id)) return callId
    for (const { id } of members) {
      const known = this.#known.get(id)
      if (known !== undefined) return known.callId
    }
    return null
  }

  #legOf({ id, application }: AriChannel): 'caller' | 'callee' {
    return application === 'AppDial' || this.#dialled.has(id) ? 'callee' : 'caller'
  }

  #describe(callId: CallId, members: readonly AriChannel[]): void {
    const body = descriptionOf(members, (channel) => this.#legOf(channel))
    const failed = () => this.#ports.warn('the description of a call could not be stored', callId)
    this.#ports.tell(callId, { type: 'describe', body, replyTo: { answered: () => {}, failed } })
  }

  // --- listening --------------------------------------------------------------------------------------------------

  #tap(callId: CallId, channel: AriChannel): void {
    const { id } = channel
    if (this.#tapped.size >= limits.ariChannelsMax)
      return this.#ports.warn('too many phones are listened to', callId)
    const before = this.#tapped.get(id)
    if (before !== undefined) this.#leave(id, before)
    const leg = this.#nameIn(callId, channel)
    const ports = {
      clock: this.#ports.clock,
      requests: this.#requests,
      mediaClient: this.#ports.options.mediaClient,
      owners: this.#owners,
      warn: (why: string) => this.#ports.warn(why, callId),
    }
    this.#tapped.set(id, new PhoneTap(ports, channel, callId, leg))
  }

  #phonesIn(callId: CallId): readonly string[] {
    return [...this.#tapped].flatMap(([id, phone]) => (phone.callId === callId ? [id] : []))
  }

  /** Another voice than those before it: `callee-2` is whom the callee has transferred the call to. */
  #nameIn(callId: CallId, channel: AriChannel): string {
    const names = this.#legs.get(callId) ?? []
    const known = this.#known.get(channel.id)
    const side = this.#legOf(channel)
    let name: string = known?.callId === callId ? known.leg : side
    for (let number = 2; names.includes(name); number++) name = `${side}-${number}`
    this.#legs.set(callId, [...names, name])
    return name
  }

  // --- the end ----------------------------------------------------------------------------------------------------

  #destroyed({ id }: AriChannel, cause: string): void {
    this.#owners.get(id)?.gone(id)
    this.#channels.delete(id)
    this.#dialled.delete(id)
    this.#known.delete(id)
    const phone = this.#tapped.get(id)
    if (phone === undefined) return
    const text = `${phone.leg}: ${cause}`.slice(0, limits.detailCharactersMax)
    this.#note(id, { kind: 'hangup', text })
    this.#leave(id, phone)
  }

  /** With its last phone a call is over. */
  #leave(id: string, phone: PhoneTap): void {
    this.#tapped.delete(id)
    phone.end()
    if (this.#phonesIn(phone.callId).length > 0) return
    this.#legs.delete(phone.callId)
    this.#complete(phone.callId)
  }

  #complete(callId: CallId): void {
    const replyTo = {
      answered: () => {},
      failed: () => void this.#ports.clock.after(limits.legRetryMs, () => this.#complete(callId)),
    }
    this.#ports.tell(callId, { type: 'complete', totalPackets: null, replyTo })
  }

  #note(id: string, note: Note): void {
    const phone = this.#tapped.get(id)
    if (phone === undefined) return
    const text = note.text ?? phone.leg
    const replyTo = { answered: () => {}, failed: () => {} }
    this.#ports.tell(phone.callId, { type: 'note', note: { ...note, text }, replyTo })
  }
}
