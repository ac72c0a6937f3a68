/** Parts of a snapshot as they come to a stream under test. */
import { beginning } from '../../src/actors/snapshot-calls.js'
import { type PartContent, SnapshotPart } from '../../src/actors/snapshot-part.js'

export function snapshotPart(content: Partial<PartContent> = {}): SnapshotPart {
  const whole = { after: 0, rows: [], isLast: false, text: '{"event":"snapshot"}', place: beginning }
  return new SnapshotPart({ ...whole, ...content }, () => {})
}
