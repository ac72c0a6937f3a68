/** The details by which calls can be found. Without the schemas, as `call-states`. */
import type { CallDetails } from './media.js'

/** The names under which calls can be asked for by what was said of them. */
export const detailNames = ['direction', 'caller', 'callee', 'agent', 'queue'] as const
const metadataPrefix = 'meta.'

export interface Detail {
  readonly name: string
  readonly value: string
}

/** What calls can be asked for by: every text that was said of one. */
export function listDetails(details: CallDetails): readonly Detail[] {
  const named = detailNames.flatMap((name) => {
    const value = details[name]
    return value === undefined ? [] : [{ name, value }]
  })
  const labels = Object.entries(details.metadata ?? {}).map(([key, value]) => ({
    name: metadataPrefix + key,
    value,
  }))
  return [...named, ...labels]
}

export function isDetailName(name: string): boolean {
  return (detailNames as readonly string[]).includes(name) || name.startsWith(metadataPrefix)
}
