/** The process as commands see it: only `main.ts` reads `process`. */
import type { Terminal } from '../terminal/terminal.js'

export type Signal = 'SIGINT' | 'SIGTERM' | 'SIGHUP'

export interface World {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly nodeVersion: string
  /** Runs with all rights on the machine. */
  readonly isRoot: boolean
  readonly terminal: Terminal
  /** `terminal.out` is a screen, which audio would only disturb. */
  readonly outIsScreen: boolean
  /** A 32-bit number. */
  readonly randomSeed: number
  /** Text of the `.env` file, or null where there is none. */
  readDotEnv(): string | null
  /** From then on the signal does nothing else; the returned function gives it back. */
  onSignal(signal: Signal, listener: (signal: Signal) => void): () => void
  /** An error that nothing has caught then does nothing else. */
  onUncaught(listener: (error: unknown) => void): void
  /** Ends the process by the signal, as if nobody had listened to it. */
  endBy(signal: Signal): void
  /** Ends the process whatever its threads do. */
  endAtOnce(): void
  exit(code: number): never
}
