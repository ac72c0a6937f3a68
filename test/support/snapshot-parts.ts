/** Parts of a snapshot as they come to a stream under test. */
import { beginning } from '../../src/feed/snapshot-calls.js'
import { type PartContent, SnapshotPart } from '../../src/feed/snapshot-part.js'

export function snapshotPart(content: Partial<PartContent> & { readonly text?: string } = {}): SnapshotPart {
  const { text = '{"event":"snapshot"}', ...given } = content
  const whole = { after: 0, rows: [], isLast: false, place: beginning, write: () => text }
  return new SnapshotPart({ ...whole, ...given }, { held: () => {}, released: () => {} })
}
