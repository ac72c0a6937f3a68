/** Who is on a call, as lists tell it: people before numbers, and the id only where nobody is named. Pure. */
import type { CallRow } from '../../protocol/floor.js'

export type Named = Pick<CallRow, 'call_id' | 'caller' | 'callee' | 'agent' | 'queue'>

/** Empty where the PBX has named nobody. */
export function namesOf({ agent, queue, caller }: Omit<Named, 'call_id'>): readonly string[] {
  return [agent, queue, caller].filter((name) => name !== null)
}

/** In a sentence. */
export function whoOf(row: Named): string {
  const names = namesOf(row)
  return names.length > 0 ? names.join(', ') : `call ${row.call_id}`
}
