/** A message of the shared log that this version cannot apply as it was written. It must not be left out: the node stops. */
export class UnreadableMessage extends Error {
  override readonly name = 'UnreadableMessage'

  constructor(what: string) {
    super(`a message of the log cannot be read: ${what}`)
  }
}
