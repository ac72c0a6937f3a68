/** The calls of a run, and how they are played: what the rest of the simulator needs of either way. */
import type { SimulatedCall } from './simulated-call.js'

export interface Play {
  readonly calls: readonly SimulatedCall[]
  /** For the first lines of the output: how the audio is sent, and what happens to it on the way. */
  readonly audioNote: string
  readonly faultNote: string
  /** Packets to send, for the progress. */
  readonly total: number
  /** Of these, so far. */
  sent(): number
  /** Plays all calls to their ends. Never throws what the simulator expects to go wrong: each call tells that. */
  run(): Promise<void>
  /** The rate that was achieved, in a line. */
  rate(): string
}
