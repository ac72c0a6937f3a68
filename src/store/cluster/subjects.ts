/** Subjects of the log: one for each node, on which only its own messages and claims against it are. */

const prefix = 'vs.log.'
/** Whose partitions nobody has been given yet. No node has this name. */
export const nobody = 'none'

export function subjectOf(node: string): string {
  return prefix + node
}
