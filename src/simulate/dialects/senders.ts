/** The platforms that can be played, by the name of the option `--dialect`. A call is one socket for each sender of its platform. */
import { audiohookSender } from './audiohook-sender.js'
import { asteriskSenders, freeswitchSender, jambonzSender, vonageSender } from './binary-senders.js'
import { exotelSender, plivoSender, telnyxSender, twilioSender } from './json-senders.js'
import type { Sender } from './sender.js'

export const senders: ReadonlyMap<string, readonly Sender[]> = new Map([
  ['twilio', [twilioSender]],
  ['telnyx', [telnyxSender]],
  ['plivo', [plivoSender]],
  ['exotel', [exotelSender]],
  ['asterisk', asteriskSenders],
  ['audiohook', [audiohookSender]],
  ['vonage', [vonageSender]],
  ['jambonz', [jambonzSender]],
  ['freeswitch', [freeswitchSender]],
])
