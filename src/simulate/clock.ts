/** Time as the simulation needs it. `nowMs` is monotonic, `wallMs` is Unix time, both in milliseconds. */
import { setTimeout as sleep } from 'node:timers/promises'

export interface SimulatorClock {
  nowMs(): number
  wallMs(): number
  sleep(ms: number): Promise<void>
}

export const systemClock: SimulatorClock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  sleep: (ms) => sleep(ms),
}
