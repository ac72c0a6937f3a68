/** The answer to a request for a socket's path without an upgrade. */
import { VoiceStreamError } from '../../errors.js'
import type { Exchange } from '../exchange.js'

export const upgradeAnswers = {
  101: { description: 'The socket is open.' },
  426: { description: 'Not a WebSocket upgrade.' },
} as const

export function answerUpgradeRequired(exchange: Exchange): void {
  exchange.problem(new VoiceStreamError('upgrade_required', 'connect with a WebSocket'), [
    ['Upgrade', 'websocket'],
  ])
}
