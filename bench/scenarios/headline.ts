/** What the headline figures are taken on: the default configuration, packets already stored, a supervisor attached. */
import { warmCode } from '../load/saturate.js'
import { attachSupervisor, type Supervisor } from '../load/supervisor.js'
import type { Context } from '../scenario.js'
import { type MeasuredServer, startService } from '../stage/server.js'

export interface Headline {
  readonly service: MeasuredServer
  readonly supervisor: Supervisor
  /** Where its database lies. */
  readonly folder: string
}

/** Ends the service and removes its database afterwards, whatever happens. */
export async function withHeadline<Result>(
  { stage, prefill, tell }: Context,
  task: (headline: Headline) => Promise<Result>,
): Promise<Result> {
  tell(`storing ${prefill.packets.toLocaleString('en')} packets first, unless that was done`)
  const folder = await prefill.copy('headline')
  const service = await startService(stage, folder)
  try {
    const supervisor = await attachSupervisor(stage, service.port)
    try {
      await warmCode(stage, service)
      return await task({ service, supervisor, folder })
    } finally {
      supervisor.end()
    }
  } finally {
    await service.stop()
    stage.removeFolder(folder)
  }
}

/** Throws when the supervisor did not see every packet, or was closed. */
export async function assertSeen(supervisor: Supervisor, packetsMin: number): Promise<void> {
  const { messages, closedWith } = await supervisor.counts()
  if (closedWith !== null) throw new Error(`the supervisor was closed with ${closedWith}`)
  if (messages < packetsMin) throw new Error(`the supervisor saw ${messages} of ${packetsMin} packets`)
}

/** Round 1 goes a, b; round 2 b, a; and so on: a drift of the machine meets both alike. */
export function inTurn<Side>(round: number, sides: readonly Side[]): readonly Side[] {
  return round % 2 === 1 ? sides : [...sides].reverse()
}

export const perSecond = (rate: number): string => `${Math.round(rate).toLocaleString('en')}/s`
