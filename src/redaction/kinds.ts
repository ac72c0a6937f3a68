/** What is masked, and what stands in its place. A mask shows neither a digit nor a length. */

/** What can be asked for: `number` masks all runs of seven digits and more, `card` only those that are as long as one of a card. */
export const redactionRules = ['card', 'number', 'iban', 'email'] as const
export type RedactionRule = (typeof redactionRules)[number]

/** What a mask says. Check digits and shape choose among the names of a run, never whether it is masked. */
export const redactionKinds = ['card', 'iban', 'email', 'phone', 'ssn', 'number'] as const
export type RedactionKind = (typeof redactionKinds)[number]

export function maskOf(kind: RedactionKind): string {
  return `[${kind}]`
}

/** Digits of the shortest run that is masked; infinite where none is. */
export function runDigitsMin(rules: ReadonlySet<RedactionRule>): number {
  if (rules.has('number')) return 7
  return rules.has('card') ? 12 : Number.POSITIVE_INFINITY
}
