/** A supervisor that is attached to the service and reads everything. */
import { Helper } from '../stage/helper.js'
import { supervisorProgram } from '../stage/paths.js'
import type { Stage } from '../stage/stage.js'
import type { SupervisorCounts } from './supervisor-process.js'

const answerMsMax = 15_000

export interface Supervisor {
  readonly pid: number
  counts(): Promise<SupervisorCounts>
  end(): void
}

export async function attachSupervisor(stage: Stage, port: number): Promise<Supervisor> {
  const helper = new Helper(stage, supervisorProgram)
  await helper.ask('connect', { port }, answerMsMax)
  return {
    pid: helper.pid,
    counts: () => helper.ask('counts', null, answerMsMax),
    end: () => helper.end(),
  }
}
