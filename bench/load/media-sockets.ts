/** Live calls over a platform's sockets, from a process of their own. */
import { Helper } from '../stage/helper.js'
import { mediaProgram } from '../stage/paths.js'
import type { MeasuredServer } from '../stage/server.js'
import type { Stage } from '../stage/stage.js'
import type { PlayFigures } from './media-process.js'

const connectMsMax = 60_000
const lateMsMax = 120_000

export class MediaLoad {
  readonly #helper: Helper

  constructor(stage: Stage) {
    this.#helper = new Helper(stage, mediaProgram)
  }

  /** One socket a call, each with its start. */
  connect({ port }: MeasuredServer, calls: number): Promise<void> {
    return this.#helper.ask('connect', { port, calls }, connectMsMax)
  }

  /** 50 packets a second on each. */
  play(seconds: number): Promise<PlayFigures> {
    return this.#helper.ask('play', { seconds }, seconds * 1000 + lateMsMax)
  }

  close(): Promise<void> {
    return this.#helper.ask('close', null, connectMsMax)
  }

  end(): void {
    this.#helper.end()
  }
}
