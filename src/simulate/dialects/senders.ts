/** The platforms that can be played, by the name of the option `--dialect`. A call is one socket for each sender of its platform. */
import { audiohookSender } from './audiohook-sender.js'
import { audiosocketSender } from './audiosocket-sender.js'
import {
  asteriskSenders,
  freeswitchSender,
  infobipSender,
  jambonzSender,
  sinchSender,
  vonageSender,
} from './binary-senders.js'
import {
  bandwidthSender,
  exotelSender,
  plivoSender,
  signalwireSender,
  telnyxSender,
  twilioSender,
  voximplantSender,
} from './json-platforms.js'
import type { Sender } from './sender.js'

export const senders: ReadonlyMap<string, readonly Sender[]> = new Map([
  ['twilio', [twilioSender]],
  ['signalwire', [signalwireSender]],
  ['telnyx', [telnyxSender]],
  ['plivo', [plivoSender]],
  ['exotel', [exotelSender]],
  ['bandwidth', [bandwidthSender]],
  ['voximplant', [voximplantSender]],
  ['vonage', [vonageSender]],
  ['infobip', [infobipSender]],
  ['sinch', [sinchSender]],
  ['jambonz', [jambonzSender]],
  ['freeswitch', [freeswitchSender]],
  ['asterisk', asteriskSenders],
  ['audiosocket', [audiosocketSender]],
  ['audiohook', [audiohookSender]],
])
