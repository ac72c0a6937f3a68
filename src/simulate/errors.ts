/**
 * What the simulated PBX expects to go wrong. The code says how the run ends:
 * - `usage`, `wav`: the command or its file is wrong; nothing was sent
 * - `unreachable`: the service gave no answer that counts within the time for retries
 * - `breach`: an answer that the contract does not allow
 * - `interrupted`: the user ended the run
 */
export type SimulateErrorCode = 'usage' | 'wav' | 'unreachable' | 'breach' | 'interrupted'

export class SimulateError extends Error {
  readonly code: SimulateErrorCode

  constructor(code: SimulateErrorCode, message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'SimulateError'
    this.code = code
  }
}
